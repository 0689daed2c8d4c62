// SPDX-License-Identifier: Apache-2.0
// What pictures that are written say of themselves, and what they hand on of their photo.
#include "core/output_file.hpp"
#include "media/handed_on.hpp"
#include "media/picture.hpp"
#include "media/stereo_photo.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vergence::media {
namespace {

namespace fs = std::filesystem;
using test::gradient_rgb;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr SphericalTag kVr180{.left = 0.25, .right = 0.25};
constexpr std::array kTaggedFormats{"a.jpg", "a.png", "a.tif", "a.webp", "a.avif"};

std::string exiftool(const fs::path& file, const std::string& options) {
  return test::run(fmt::format("exiftool {} '{}'", options, file.string()));
}

TEST(PhotoTags, BothEyesInOnePictureAreDescribedEach) {
  const TemporaryFolder folder;
  WriteOptions options;
  options.view = {.spherical = kVr180, .stereo = StereoTag::kSideBySide};
  for (const char* name : kTaggedFormats) {
    write_picture(folder / name, gradient_rgb(400, 200), options);
    EXPECT_EQ(exiftool(folder / name, "-warning -error -s3 -a"), "") << name;
    EXPECT_EQ(exiftool(folder / name, "-a -s -s -XMP-GPano:all -XMP-GSpherical:all"),
              "UsePanoramaViewer: True\n"
              "ProjectionType: equirectangular\n"
              "CroppedAreaImageWidthPixels: 200\n"
              "CroppedAreaImageHeightPixels: 200\n"
              "FullPanoWidthPixels: 400\n"
              "FullPanoHeightPixels: 200\n"
              "CroppedAreaLeftPixels: 100\n"
              "CroppedAreaTopPixels: 0\n"
              "PoseHeadingDegrees: 0\n"
              "PosePitchDegrees: 0\n"
              "PoseRollDegrees: 0\n"
              "Spherical: True\n"
              "Stitched: True\n"
              "StitchingSoftware: Vergence\n"
              "ProjectionType: equirectangular\n"
              "StereoMode: left-right\n")
        << name;
    const auto metadata = read_picture(folder / name).metadata;
    EXPECT_TRUE(metadata.equirectangular) << name;
    EXPECT_EQ(metadata.stereo, StereoTag::kSideBySide) << name;
    EXPECT_FALSE(metadata.right_eye_first) << name;
    ASSERT_TRUE(metadata.crop) << name;
    EXPECT_EQ(metadata.crop->full_width, 400) << name;
    EXPECT_EQ(metadata.crop->full_height, 200) << name;
    EXPECT_EQ(metadata.crop->left, 100) << name;
    EXPECT_FALSE(read_stereo_photo(folder / name)) << name;
  }
}

TEST(PhotoTags, SqueezedEyesAreDescribedAsTheyAreShown) {
  const TemporaryFolder folder;
  WriteOptions options;
  options.view = {.spherical = SphericalTag{}, .stereo = StereoTag::kTopBottom, .squeezed = true};
  write_picture(folder / "a.jpg", gradient_rgb(400, 200), options);
  EXPECT_EQ(exiftool(folder / "a.jpg",
                     "-s -s -FullPanoWidthPixels -FullPanoHeightPixels "
                     "-CroppedAreaImageHeightPixels -StereoMode"),
            "FullPanoWidthPixels: 400\nFullPanoHeightPixels: 200\n"
            "CroppedAreaImageHeightPixels: 200\nStereoMode: top-bottom\n");
  const auto metadata = read_picture(folder / "a.jpg").metadata;
  EXPECT_EQ(metadata.stereo, StereoTag::kTopBottom);
  EXPECT_TRUE(metadata.squeezed);
  ASSERT_TRUE(metadata.crop);
  EXPECT_EQ(metadata.crop->full_width, 400);
  EXPECT_EQ(metadata.crop->full_height, 100);  // as stored
}

TEST(PhotoTags, FlatStereoIsToldAsJpsToo) {
  const TemporaryFolder folder;
  WriteOptions options;
  options.view = {.stereo = StereoTag::kSideBySide, .squeezed = true};
  write_picture(folder / "a.jpg", gradient_rgb(64, 32), options);
  write_picture(folder / "a.png", gradient_rgb(64, 32), options);
  EXPECT_EQ(exiftool(folder / "a.jpg", "-s -s -JPS:all"),
            "JPSSeparation: 0\nJPSFlags: Half width, Left field first\n"
            "JPSLayout: Side By Side\nJPSType: Stereo\n");
  EXPECT_EQ(exiftool(folder / "a.jpg", "-validate -s3"), "OK\n");
  EXPECT_NE(
      test::run(fmt::format("ffprobe -v error -show_frames '{}'", (folder / "a.jpg").string()))
          .find("side_data_type=Stereo 3D"),
      std::string::npos);
  for (const char* name : {"a.jpg", "a.png"}) {
    const auto metadata = read_picture(folder / name).metadata;
    EXPECT_EQ(metadata.stereo, StereoTag::kSideBySide) << name;
    EXPECT_FALSE(metadata.equirectangular) << name;
    EXPECT_FALSE(metadata.crop) << name;
  }
}

TEST(PhotoTags, TheOrderOfAJpsPictureIsRead) {
  auto bytes = encode_picture(gradient_rgb(64, 32), PictureFormat::kJpeg,
                              {.view = {.stereo = StereoTag::kTopBottom}});
  EXPECT_FALSE(decode_picture(bytes, "a").metadata.right_eye_first);
  const std::string_view head = "_JPSJPS_";
  const auto jps = std::search(bytes.begin(), bytes.end(), head.begin(), head.end());
  ASSERT_NE(jps, bytes.end());
  jps[11] = 0;  // the flags, behind the length and the separation
  const auto metadata = decode_picture(bytes, "a").metadata;
  EXPECT_EQ(metadata.stereo, StereoTag::kTopBottom);
  EXPECT_TRUE(metadata.right_eye_first);
}

TEST(PhotoTags, OneFlatEyeAndAFisheyeSayNothing) {
  for (const auto& view :
       {PictureView{},
        PictureView{.spherical = SphericalTag{.projection = SphericalTag::Projection::kFisheye}}}) {
    const auto picture = decode_picture(
        encode_picture(gradient_rgb(64, 64), PictureFormat::kJpeg, {.view = view}), "a");
    EXPECT_FALSE(picture.metadata.equirectangular);
    EXPECT_TRUE(picture.blocks.xmp.empty());
  }
}

// A photo as a phone writes it: turned, with a thumbnail, a place, a profile and panorama tags.
void make_phone_photo(const TemporaryFolder& folder) {
  write_picture(folder / "photo.jpg", gradient_rgb(120, 80));
  write_picture(folder / "thumbnail.jpg", gradient_rgb(24, 16));
  test::python(folder.path(), R"(
import struct
matrix = {'rXYZ': (0.4361, 0.2225, 0.0139), 'gXYZ': (0.3851, 0.7169, 0.0971), 'bXYZ': (0.1431, 0.0606, 0.7141)}
xyz = lambda v: struct.pack('>3i', *[round(x * 65536) for x in v])
elements = [(name, b'XYZ \0\0\0\0' + xyz(v)) for name, v in matrix.items()]
elements += [(c + 'TRC', b'curv' + struct.pack('>IIHxx', 0, 1, 0x0233)) for c in 'rgb']
table, data = struct.pack('>I', len(elements)), b''
for name, element in elements:
    at = 128 + 4 + 12 * len(elements) + len(data)
    table += name.encode() + struct.pack('>II', at, len(element))
    data += element
head = struct.pack('>I4sI4s4s4s', 132 + 12 * len(elements) + len(data), bytes(4), 0x02400000, b'mntr', b'RGB ', b'XYZ ')
head += struct.pack('>6H', 2024, 1, 1, 0, 0, 0) + b'acsp' + bytes(28) + xyz((0.9642, 1.0, 0.8249))
open('p.icc', 'wb').write(head.ljust(128, bytes(1)) + table + data)
)");
  test::run(fmt::format(
      "cd '{}' && exiftool -q -n -overwrite_original -Make=Acme -Model='Acme 9' "
      "-DateTimeOriginal='2024:05:06 07:08:09' -OffsetTimeOriginal=+02:00 -LensModel=Fifty "
      "-GPSLatitude=47.5 -GPSLatitudeRef=N -GPSLongitude=8.25 -GPSLongitudeRef=E -Orientation=6 "
      "-FNumber=1.8 -ExifImageWidth=120 -ExifImageHeight=80 -ImageUniqueID=abc "
      "'-ThumbnailImage<=thumbnail.jpg' "
      "'-ICC_Profile<=p.icc' -XMP-GPano:ProjectionType=equirectangular "
      "-XMP-GDepth:Near=1 -XMP-dc:Title=Harbour "
      "-XMP-dc:Subject=boat -XMP-dc:Rights='Somebody' -XMP-tiff:Orientation=6 "
      "-XMP-xmpMM:DocumentID=secret photo.jpg",
      folder.path().string()));
}

TEST(PhotoTags, AResultHandsOnWhatStillHolds) {
  const TemporaryFolder folder;
  make_phone_photo(folder);
  const auto photo = read_picture(folder / "photo.jpg");
  ASSERT_EQ(photo.rgb.size(), cv::Size(80, 120));  // upright
  WriteOptions options;
  options.carried = photo.blocks;
  options.view = {.stereo = StereoTag::kSideBySide};
  cv::Mat both;
  cv::hconcat(photo.rgb, photo.rgb, both);
  for (const char* name : {"a.jpg", "a.png", "a.webp", "a.avif"}) {
    const fs::path file = folder / name;
    write_picture(file, both, options);
    EXPECT_EQ(exiftool(file, "-warning -error -s3 -a"), "") << name;
    EXPECT_EQ(exiftool(file,
                       "-n -s3 -f -Make -Model -DateTimeOriginal -OffsetTimeOriginal "
                       "-LensModel -FNumber -XMP-dc:Title -XMP-dc:Subject -XMP-dc:Rights"),
              "Acme\nAcme 9\n2024:05:06 07:08:09\n+02:00\nFifty\n1.8\nHarbour\nboat\nSomebody\n")
        << name;
    EXPECT_EQ(exiftool(file, "-n -s3 -c %.6f -GPS:GPSLatitude -GPS:GPSLongitude"), "47.5\n8.25\n")
        << name;
    EXPECT_EQ(exiftool(file, "-n -s -s -EXIF:Orientation -ExifImageWidth -ExifImageHeight"),
              "Orientation: 1\nExifImageWidth: 160\nExifImageHeight: 120\n")
        << name;
    EXPECT_EQ(exiftool(file,
                       "-s -s -XMP-GPano:all -XMP-GDepth:all -XMP-tiff:all -XMP-xmpMM:all "
                       "-ThumbnailImage -MakerNotes:all -ImageUniqueID"),
              "")
        << name;
    const auto again = read_picture(file);
    EXPECT_EQ(again.blocks.icc, photo.blocks.icc) << name;
    EXPECT_EQ(again.rgb.size(), both.size()) << name;
  }
  EXPECT_FALSE(photo.blocks.icc.empty());
  EXPECT_EQ(exiftool(folder / "a.jpg", "-validate -s3"), "OK\n");
}

TEST(PhotoTags, ThePlaceMayStayAtHome) {
  const TemporaryFolder folder;
  make_phone_photo(folder);
  test::run(
      fmt::format("exiftool -q -n -overwrite_original -XMP-exif:GPSLatitude=47.5 "
                  "-XMP-photoshop:City=Rome -XMP-photoshop:Country=Italy "
                  "-XMP-iptcCore:Location=Pier -XMP-iptcCore:CountryCode=IT "
                  "-XMP-iptcExt:LocationShownCity=Rome '{}'",
                  (folder / "photo.jpg").string()));
  const auto photo = read_picture(folder / "photo.jpg");
  const auto places =
      "-a -s3 -GPS:all -XMP:GPSLatitude -City -Country -Location -CountryCode "
      "-LocationShownCity";
  write_picture(folder / "all.jpg", photo.rgb, {.carried = photo.blocks});
  ASSERT_THAT(exiftool(folder / "all.jpg", places),
              AllOf(HasSubstr("47"), HasSubstr("Rome"), HasSubstr("Italy"), HasSubstr("Pier")));
  write_picture(folder / "no_place.jpg", photo.rgb,
                {.carried = blocks_to_hand_on(photo.blocks, HandedOn::kNoPlace)});
  EXPECT_EQ(exiftool(folder / "no_place.jpg", places), "");
  EXPECT_EQ(exiftool(folder / "no_place.jpg",
                     "-s3 -f -Make -DateTimeOriginal -LensModel -XMP-dc:Title -ProfileClass"),
            "Acme\n2024:05:06 07:08:09\nFifty\nHarbour\nDisplay Device Profile\n");
  EXPECT_EQ(exiftool(folder / "no_place.jpg", "-validate -s3"), "OK\n");
  write_picture(folder / "none.jpg", photo.rgb,
                {.carried = blocks_to_hand_on(photo.blocks, HandedOn::kNothing)});
  EXPECT_EQ(exiftool(folder / "none.jpg", "-a -s3 -EXIF:all -XMP:all"), "");
  EXPECT_EQ(exiftool(folder / "none.jpg", "-s3 -ProfileClass"), "Display Device Profile\n")
      << "colours stay";
}

TEST(PhotoTags, TiffKeepsTheCameraTheDateAndTheProfile) {
  const TemporaryFolder folder;
  make_phone_photo(folder);
  test::run(fmt::format("exiftool -q -overwrite_original -ModifyDate='2024:05:06 07:08:09' '{}'",
                        (folder / "photo.jpg").string()));
  const auto photo = read_picture(folder / "photo.jpg");
  write_picture(folder / "a.tif", photo.rgb, {.carried = photo.blocks});
  EXPECT_EQ(exiftool(folder / "a.tif", "-s3 -Make -Model -ModifyDate -XMP-dc:Title"),
            "Acme\nAcme 9\n2024:05:06 07:08:09\nHarbour\n");
  EXPECT_EQ(read_picture(folder / "a.tif").blocks.icc, photo.blocks.icc);
}

TEST(PhotoTags, NothingIsHandedOnWhereThereIsNothing) {
  const auto photo =
      decode_picture(encode_picture(gradient_rgb(64, 32), PictureFormat::kJpeg), "a.jpg");
  const auto bytes = encode_picture(photo.rgb, PictureFormat::kJpeg, {.carried = photo.blocks});
  EXPECT_EQ(bytes, encode_picture(photo.rgb, PictureFormat::kJpeg));
}

TEST(PhotoTags, StereoPhotosHandOnTheSame) {
  const TemporaryFolder folder;
  make_phone_photo(folder);
  const auto photo = read_picture(folder / "photo.jpg");
  StereoPhotoOptions options;
  options.carried = photo.blocks;
  options.spherical = kVr180;
  options.fov_x = Radians::from_degrees(60);
  for (const char* name : {"a.vr.jpg", "a.mpo", "a.heic"}) {
    const fs::path file = folder / name;
    write_stereo_photo(file, photo.rgb, photo.rgb, *stereo_photo_format(file), options);
    EXPECT_EQ(exiftool(file, "-warning -error -s3 -a"), "") << name;
    EXPECT_EQ(exiftool(file,
                       "-n -s3 -f -Make -LensModel -GPS:GPSLatitude -EXIF:Orientation "
                       "-ExifImageWidth"),
              "Acme\nFifty\n47.5\n1\n80\n")
        << name;
    const auto pair = read_stereo_photo(file);
    ASSERT_TRUE(pair) << name;
    EXPECT_EQ(pair->right.blocks.exif, "") << name;
    test::run(fmt::format("exiftool -q -overwrite_original '-gps*=' '{}'", file.string()));
    EXPECT_EQ(exiftool(file, "-ee -a -s3 '-gps*'"), "") << name;
    ASSERT_TRUE(read_stereo_photo(file)) << name;
    EXPECT_EQ(pair->left.blocks.icc, photo.blocks.icc) << name;
    EXPECT_EQ(pair->right.blocks.icc, photo.blocks.icc) << name;
    EXPECT_TRUE(pair->left.metadata.equirectangular) << name;
  }
}

TEST(PhotoTags, AvifHoldsThePictureInEightAndTwelveBit) {
  const TemporaryFolder folder;
  const auto rgb = gradient_rgb(97, 61);
  cv::Mat deep;
  rgb.convertTo(deep, CV_16U, 257.0);
  write_picture(folder / "a.avif", rgb);
  write_picture(folder / "b.avif", deep);
  const auto difference = [](const cv::Mat& a, const cv::Mat& b) {
    return cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total()) / 3.0;
  };
  EXPECT_LT(difference(read_picture(folder / "a.avif").rgb, rgb), 1.0);
  const auto again = read_picture(folder / "b.avif").rgb;
  ASSERT_EQ(again.type(), CV_16UC3);
  EXPECT_LT(difference(again, deep), 0.7 * 257);
  EXPECT_EQ(exiftool(folder / "b.avif",
                     "-s3 -n -ColorPrimaries -TransferCharacteristics "
                     "-MatrixCoefficients -ImagePixelDepth"),
            "1\n13\n6\n12 12 12\n");
  // An independent decoder sees the same colours.
  test::run(fmt::format("cd '{}' && heif-convert a.avif c.png", folder.path().string()));
  EXPECT_LT(difference(read_picture(folder / "c.png").rgb, rgb), 1.0);
}

TEST(PhotoTags, AFailureOfAnEncoderNamesTheFile) {
  const cv::Mat wide(8, 70000, CV_8UC3, cv::Scalar(1, 2, 3));
  EXPECT_EQ(test::error_of([&] {
              write_picture("a.avif", wide);
            }).find("cannot write 'a.avif': the AVIF encoder failed"),
            0U);
  StereoPhotoOptions options;
  options.spherical = kVr180;
  EXPECT_EQ(test::error_of([&] {
              write_stereo_photo("a.heic", wide, wide, StereoPhotoFormat::kSpatialHeic, options);
            }).find("cannot write 'a.heic': the HEIC encoder failed"),
            0U);
  EXPECT_EQ(test::error_of(
                [&] { write_stereo_photo("a.mpo", wide, wide, StereoPhotoFormat::kMpo, options); }),
            "cannot write 'a.mpo': 70000x8 pixels are too many for JPEG; make the eyes' pictures "
            "smaller");
  EXPECT_EQ(test::error_of([&] { write_picture("a.jpg", wide); }),
            "cannot write 'a.jpg': 70000x8 pixels are too many for JPEG; use .png");
}

TEST(PhotoTags, DamagedBlocksAreLeftOut) {
  std::mt19937 random(11);
  std::string noise(3000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  const auto rgb = gradient_rgb(64, 32);
  const WriteOptions options{.carried = {.exif = noise, .xmp = noise, .icc = noise}};
  for (const auto format : {PictureFormat::kJpeg, PictureFormat::kPng, PictureFormat::kTiff,
                            PictureFormat::kWebp, PictureFormat::kAvif}) {
    const auto picture = decode_picture(encode_picture(rgb, format, options), "a");
    EXPECT_EQ(picture.blocks.exif, "");
    EXPECT_EQ(picture.blocks.xmp, "");
    EXPECT_EQ(picture.blocks.icc, "");
  }
}

}  // namespace
}  // namespace vergence::media
