// SPDX-License-Identifier: Apache-2.0
#include "core/output_file.hpp"
#include "media/picture.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vergence::media {
namespace {

using test::gradient_rgb;
using test::LogCapture;
using test::TemporaryFolder;

void tag(const std::filesystem::path& file, const std::string& tags) {
  test::run(fmt::format("exiftool -q -n -overwrite_original {} '{}'", tags, file.string()));
}

constexpr const char* kWhole =
    "-XMP-GPano:ProjectionType=equirectangular -XMP-GPano:UsePanoramaViewer=True "
    "-XMP-GPano:FullPanoWidthPixels=4000 -XMP-GPano:FullPanoHeightPixels=2000 "
    "-XMP-GPano:CroppedAreaImageWidthPixels=3000 -XMP-GPano:CroppedAreaImageHeightPixels=1500 "
    "-XMP-GPano:CroppedAreaLeftPixels=500 -XMP-GPano:CroppedAreaTopPixels=200 "
    "-XMP-GPano:PoseHeadingDegrees=270.5 -XMP-GPano:PosePitchDegrees=-3.25 "
    "-XMP-GPano:PoseRollDegrees=12";

TEST(Metadata, GPanoIsReadFromEveryFormatAndScaledToThePicture) {
  const TemporaryFolder folder;
  write_picture(folder / "a.png", gradient_rgb(300, 150));
  write_picture(folder / "a.jpg", gradient_rgb(300, 150));
  write_picture(folder / "a.tif", gradient_rgb(300, 150));
  test::python(folder.path(), "cv2.imwrite('a.webp', cv2.imread('a.png'))");
  test::run(fmt::format("cd '{0}' && heif-enc a.png -o a.heic && heif-enc -A a.png -o a.avif",
                        folder.path().string()));
  // exiftool 12.57 cannot write WebP; the chunk goes in by hand.
  tag(folder / "a.jpg", kWhole);
  test::run(fmt::format("cd '{}' && exiftool -q -xmp -b a.jpg > a.xmp", folder.path().string()));
  test::python(folder.path(), R"(
import struct
x = open('a.xmp', 'rb').read(); w = open('a.webp', 'rb').read()
x += b' ' * (len(x) % 2)
vp8x = b'VP8X' + struct.pack('<I', 10) + bytes([4, 0, 0, 0]) + struct.pack('<I', 299)[:3] + struct.pack('<I', 149)[:3]
body = b'WEBP' + vp8x + w[12:] + b'XMP ' + struct.pack('<I', len(x)) + x
open('a.webp', 'wb').write(b'RIFF' + struct.pack('<I', len(body)) + body)
)");
  for (const char* name : {"a.png", "a.tif", "a.heic", "a.avif"}) tag(folder / name, kWhole);
  for (const char* name : {"a.jpg", "a.png", "a.tif", "a.webp", "a.heic", "a.avif"}) {
    const PictureMetadata metadata = read_picture(folder / name).metadata;
    EXPECT_TRUE(metadata.equirectangular) << name;
    ASSERT_TRUE(metadata.crop) << name;
    EXPECT_EQ(metadata.crop->full_width, 400) << name;
    EXPECT_EQ(metadata.crop->full_height, 200) << name;
    EXPECT_EQ(metadata.crop->left, 50) << name;
    EXPECT_EQ(metadata.crop->top, 20) << name;
    ASSERT_TRUE(metadata.heading && metadata.pitch && metadata.roll) << name;
    EXPECT_NEAR(metadata.heading->degrees(), 270.5, 1e-9) << name;
    EXPECT_NEAR(metadata.pitch->degrees(), -3.25, 1e-9) << name;
    EXPECT_NEAR(metadata.roll->degrees(), 12.0, 1e-9) << name;
  }
}

// A JPEG with the packet as its one XMP segment.
std::vector<std::uint8_t> jpeg_with_segments(cv::Size size,
                                             const std::vector<std::string>& segments) {
  auto bytes = encode_picture(gradient_rgb(size.width, size.height), PictureFormat::kJpeg);
  std::vector<std::uint8_t> head;
  for (const auto& segment : segments) {
    const std::size_t length = segment.size() + 2;
    head.insert(head.end(), {0xFF, 0xE1, static_cast<std::uint8_t>(length >> 8),
                             static_cast<std::uint8_t>(length & 0xFF)});
    head.insert(head.end(), segment.begin(), segment.end());
  }
  bytes.insert(bytes.begin() + 2, head.begin(), head.end());
  return bytes;
}

const std::string kXmpHead("http://ns.adobe.com/xap/1.0/\0", 29);
const std::string kExtendedHead("http://ns.adobe.com/xmp/extension/\0", 35);

std::string packet(const std::string& attributes, const std::string& elements = "") {
  return "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
         "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description "
         "rdf:about=\"\" xmlns:GPano=\"http://ns.google.com/photos/1.0/panorama/\" " +
         attributes + ">" + elements + "</rdf:Description></rdf:RDF></x:xmpmeta>";
}

PictureMetadata metadata_of(const std::string& xmp, cv::Size size = {200, 100}) {
  return decode_picture(jpeg_with_segments(size, {kXmpHead + xmp}), "a.jpg").metadata;
}

TEST(Metadata, AttributesAndElementsMeanTheSame) {
  const std::string sizes =
      "GPano:FullPanoWidthPixels=\"200\" GPano:FullPanoHeightPixels=\"100\" "
      "GPano:CroppedAreaImageWidthPixels=\"200\" GPano:CroppedAreaImageHeightPixels=\"100\" "
      "GPano:CroppedAreaLeftPixels=\"0\" GPano:CroppedAreaTopPixels=\"0\"";
  const auto attributes = metadata_of(packet("GPano:ProjectionType=\"equirectangular\" " + sizes));
  const auto elements = metadata_of(
      packet("",
             "<GPano:ProjectionType>equirectangular</GPano:ProjectionType>"
             "<GPano:FullPanoWidthPixels>200</GPano:FullPanoWidthPixels>"
             "<GPano:FullPanoHeightPixels>100</GPano:FullPanoHeightPixels>"
             "<GPano:CroppedAreaImageWidthPixels>200</GPano:CroppedAreaImageWidthPixels>"
             "<GPano:CroppedAreaImageHeightPixels>100</GPano:CroppedAreaImageHeightPixels>"
             "<GPano:CroppedAreaLeftPixels>0</GPano:CroppedAreaLeftPixels>"
             "<GPano:CroppedAreaTopPixels>0</GPano:CroppedAreaTopPixels>"));
  for (const auto& metadata : {attributes, elements}) {
    EXPECT_TRUE(metadata.equirectangular);
    ASSERT_TRUE(metadata.crop);
    EXPECT_EQ(metadata.crop->full_width, 200);
    EXPECT_EQ(metadata.crop->left, 0);
  }
}

TEST(Metadata, ProjectionAloneIsEnoughAndViewerStandsInForIt) {
  const auto projection = metadata_of(packet("GPano:ProjectionType=\"equirectangular\""));
  EXPECT_TRUE(projection.equirectangular);
  EXPECT_FALSE(projection.crop);
  EXPECT_FALSE(projection.heading);
  EXPECT_TRUE(metadata_of(packet("GPano:UsePanoramaViewer=\"True\"")).equirectangular);
  EXPECT_FALSE(metadata_of(packet("GPano:UsePanoramaViewer=\"False\"")).equirectangular);
  EXPECT_FALSE(metadata_of(packet("GPano:ProjectionType=\"cylindrical\" "
                                  "GPano:UsePanoramaViewer=\"True\""))
                   .equirectangular);
  EXPECT_FALSE(metadata_of(packet("")).equirectangular);
}

std::string crop(int full_width, int full_height, int width, int height, int left, int top) {
  return packet(
      fmt::format("GPano:ProjectionType=\"equirectangular\" GPano:FullPanoWidthPixels=\"{}\" "
                  "GPano:FullPanoHeightPixels=\"{}\" GPano:CroppedAreaImageWidthPixels=\"{}\" "
                  "GPano:CroppedAreaImageHeightPixels=\"{}\" GPano:CroppedAreaLeftPixels=\"{}\" "
                  "GPano:CroppedAreaTopPixels=\"{}\"",
                  full_width, full_height, width, height, left, top));
}

TEST(Metadata, ACropThatMakesNoSenseIsIgnoredWithAWarning) {
  const auto warning_for = [](const std::string& xmp) {
    const LogCapture log;
    const auto metadata = metadata_of(xmp);
    EXPECT_TRUE(metadata.equirectangular);
    EXPECT_FALSE(metadata.crop);
    return log.text();
  };
  const std::string beyond =
      "warning: 'a.jpg': its panorama crop (GPano) is ignored: it does not fit into the full "
      "panorama\n";
  EXPECT_EQ(warning_for(crop(300, 150, 200, 100, 150, 0)), beyond);
  EXPECT_EQ(warning_for(crop(300, 150, 200, 100, -1, 0)), beyond);
  EXPECT_EQ(warning_for(crop(100, 50, 200, 100, 0, 0)), beyond);
  EXPECT_EQ(warning_for(packet("GPano:ProjectionType=\"equirectangular\" "
                               "GPano:CroppedAreaImageWidthPixels=\"200\" "
                               "GPano:CroppedAreaLeftPixels=\"10\"")),
            "warning: 'a.jpg': its panorama crop (GPano) is ignored: the size of the full panorama "
            "is missing\n");
  EXPECT_EQ(
      warning_for(crop(800, 400, 600, 100, 100, 100)),
      "warning: 'a.jpg': its panorama crop (GPano) is ignored: it speaks of 600 x 100 pixels, "
      "the picture has 200 x 100\n");
}

TEST(Metadata, ScalingKeepsTheCropInsideThePanorama) {
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    const int width = 500 + static_cast<int>(random() % 4000);
    const int height = width / 2;
    const int full_width = width + static_cast<int>(random() % 3000);
    const int full_height = height + static_cast<int>(random() % 1500);
    const int left = static_cast<int>(random() % static_cast<unsigned>(full_width - width + 1));
    const int top = static_cast<int>(random() % static_cast<unsigned>(full_height - height + 1));
    const auto found = metadata_of(crop(full_width, full_height, width, height, left, top)).crop;
    ASSERT_TRUE(found);
    EXPECT_GE(found->left, 0);
    EXPECT_LE(found->left + 200, found->full_width);
    EXPECT_LE(found->top + 100, found->full_height);
    EXPECT_NEAR(found->full_width, full_width * 200.0 / width, 0.51);
    EXPECT_NEAR(found->left, left * 200.0 / width, 1.01);
  }
}

TEST(Metadata, ExtendedXmpIsReadInPieces) {
  std::string remark = "<!--";
  remark.resize(70000, 'x');
  remark += "-->";
  const std::string xmp =
      packet("GPano:ProjectionType=\"equirectangular\" GPano:PoseHeadingDegrees=\"45\"", remark);
  const auto piece = [&](std::size_t at, std::size_t count) {
    const auto u32 = [](std::size_t n) {
      return std::string{static_cast<char>(n >> 24), static_cast<char>(n >> 16),
                         static_cast<char>(n >> 8), static_cast<char>(n)};
    };
    return kExtendedHead + std::string(32, 'A') + u32(xmp.size()) + u32(at) + xmp.substr(at, count);
  };
  const auto bytes = jpeg_with_segments({20, 10}, {piece(40000, 40000), piece(0, 40000)});
  EXPECT_LT(bytes.size(), 100000U);
  const auto metadata = decode_picture(bytes, "a.jpg").metadata;
  EXPECT_TRUE(metadata.equirectangular);
  ASSERT_TRUE(metadata.heading);
  EXPECT_NEAR(metadata.heading->degrees(), 45.0, 1e-9);
}

TEST(Metadata, ExifSaysFocalLengthAndCamera) {
  const TemporaryFolder folder;
  for (const char* name : {"a.jpg", "a.tif", "a.png"}) {
    write_picture(folder / name, gradient_rgb(64, 48));
    EXPECT_FALSE(read_picture(folder / name).metadata.focal_mm) << name;
    tag(folder / name,
        "-EXIF:FocalLength=4.25 -EXIF:FocalLengthIn35mmFormat=26 -EXIF:Make=Ricoh "
        "-EXIF:Model='Theta Z1'");
    const auto metadata = read_picture(folder / name).metadata;
    ASSERT_TRUE(metadata.focal_mm && metadata.focal_35mm) << name;
    EXPECT_NEAR(*metadata.focal_mm, 4.25, 1e-6) << name;
    EXPECT_EQ(*metadata.focal_35mm, 26.0) << name;
    EXPECT_EQ(metadata.camera, "Ricoh Theta Z1") << name;
    EXPECT_FALSE(metadata.equirectangular) << name;
  }
  tag(folder / "a.jpg", "-EXIF:Make=Canon -EXIF:Model='Canon EOS R5'");
  EXPECT_EQ(read_picture(folder / "a.jpg").metadata.camera, "Canon EOS R5");
}

TEST(Metadata, DeeplyNestedXmlIsNoMetadata) {
  std::string deep;
  for (int i = 0; i < 8000; ++i) deep += "<a>";
  EXPECT_FALSE(
      metadata_of(packet("GPano:ProjectionType=\"equirectangular\"", deep)).equirectangular);
}

TEST(Metadata, HostileXmpAndExifNeverCrash) {
  const TemporaryFolder folder;
  write_picture(folder / "a.jpg", gradient_rgb(200, 100));
  tag(folder / "a.jpg",
      std::string(kWhole) + " -EXIF:FocalLength=4 -EXIF:Model=X -EXIF:Orientation=6");
  const auto whole = test::bytes_of(folder / "a.jpg");
  // The segments in front of the pixels.
  std::size_t pixels_at = 0;
  while (!(whole[pixels_at] == 0xFF && whole[pixels_at + 1] == 0xDB)) ++pixels_at;
  const std::vector<std::uint8_t> head(whole.begin(),
                                       whole.begin() + static_cast<std::ptrdiff_t>(pixels_at));
  const LogCapture log;
  std::mt19937 random(11);
  int read = 0;
  for (int i = 0; i < 5000; ++i) {
    auto bytes = test::mutated(head, random);
    bytes.insert(bytes.end(), whole.begin() + static_cast<std::ptrdiff_t>(pixels_at), whole.end());
    const auto error = test::error_of([&] { static_cast<void>(decode_picture(bytes, "a.jpg")); });
    if (error.empty()) ++read;
  }
  EXPECT_GT(read, 1000);  // damaged metadata rarely costs the picture
}

}  // namespace
}  // namespace vergence::media
