// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"
#include "predictors/predictor_factory.hpp"
#include "tests/predictors/test_data.hpp"
#include "tests/support/paths.hpp"

#include <fstream>

namespace vergence::predictors {
namespace {

class FilesPredictorTest : public ::testing::Test {
 protected:
  void touch(const std::string& name) { std::ofstream(folder_ / name) << "x"; }

  // A reader that notes what it is asked for.
  [[nodiscard]] FilesOptions options(DepthKind kind = DepthKind::kDisparity) {
    return {.folder = folder_.path(),
            .kind = kind,
            .metric = false,
            .read = [this](const std::filesystem::path& path, DepthKind wanted) {
              read_.push_back(path.filename().string());
              return make_depth(wanted, cv::Mat(2, 3, CV_32FC1, cv::Scalar(1.0)));
            }};
  }

  static std::vector<PredictorInput> pictures() {
    return {test::as_input({}, "view_00"), test::as_input({}, "view_01")};
  }

  test::TemporaryFolder folder_;
  std::vector<std::string> read_;
};

TEST_F(FilesPredictorTest, TakesTheFirstFormatThatIsThere) {
  touch("view_00.png");
  touch("view_00.exr");
  touch("view_01.pfm");
  touch("view_01.png");
  touch("view_01.npy");
  const auto files = make_files(options(DepthKind::kDistance));
  const auto maps = files->predict(pictures(), no_progress());
  EXPECT_EQ(read_, (std::vector<std::string>{"view_00.exr", "view_01.npy"}));
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(kind_of(maps[0]), DepthKind::kDistance);
  EXPECT_EQ(files->info().name, "files");
  EXPECT_EQ(files->info().kind, DepthKind::kDistance);
}

TEST_F(FilesPredictorTest, NamesTheViewAndWhatWasLookedFor) {
  touch("view_00.npy");
  const auto files = make_files(options());
  try {
    (void)files->predict(pictures(), no_progress());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("no depth map for 'view_01'"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr(
                                  "'view_01.npy', 'view_01.exr', 'view_01.pfm' or 'view_01.png'"));
  }
}

TEST_F(FilesPredictorTest, RefusesAMissingFolderAndAMapOfAnotherKind) {
  FilesOptions missing = options();
  missing.folder = folder_ / "missing";
  EXPECT_THROW((void)make_files(missing), Error);
  touch("view_00.npy");
  touch("view_01.npy");
  FilesOptions other = options();
  other.read = [](const std::filesystem::path&, DepthKind) {
    return make_depth(DepthKind::kDistance, cv::Mat(2, 3, CV_32FC1, cv::Scalar(1.0)));
  };
  EXPECT_THROW((void)make_files(other)->predict(pictures(), no_progress()), Error);
}

}  // namespace
}  // namespace vergence::predictors
