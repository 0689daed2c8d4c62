// SPDX-License-Identifier: Apache-2.0
#include "media/stereo_photo.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <algorithm>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace vergence::media {
namespace {

namespace fs = std::filesystem;
using test::bytes_of;
using test::error_of;
using test::gradient_rgb;
using test::save_bytes;
using test::TemporaryFolder;

constexpr SphericalTag kVr180{.left = 0.25, .right = 0.25};

// Two eyes that differ clearly.
struct Eyes {
  cv::Mat left;
  cv::Mat right;

  Eyes(int width, int height) : left(gradient_rgb(width, height)) { cv::flip(left, right, 1); }

  Eyes(const cv::Mat& left_eye, const cv::Mat& right_eye) : left(left_eye), right(right_eye) {}
};

// With so much detail that a JPEG of it takes several segments as extended XMP.
Eyes noisy_eyes(int width, int height) {
  Eyes eyes(width, height);
  cv::RNG random(5);
  for (cv::Mat* eye : {&eyes.left, &eyes.right}) random.fill(*eye, cv::RNG::UNIFORM, 0, 256);
  return eyes;
}

StereoPhotoOptions vr180_options() {
  StereoPhotoOptions options;
  options.spherical = kVr180;
  options.baseline_m = 0.064;
  return options;
}

// What exiftool says, one "Group:Tag value" a line, numbers as numbers.
std::string exiftool(const fs::path& file, const std::string& options) {
  return test::run(fmt::format("exiftool {} '{}'", options, file.string()));
}

std::vector<std::uint8_t> extracted(const fs::path& file, const std::string& tag) {
  const fs::path out = file.string() + ".out";
  test::run(fmt::format("exiftool -b -{} '{}' > '{}'", tag, file.string(), out.string()));
  return bytes_of(out);
}

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
  cv::Mat difference;
  cv::absdiff(a, b, difference);
  const cv::Scalar mean = cv::mean(difference);
  return (mean[0] + mean[1] + mean[2]) / 3.0;
}

void expect_pair(const StereoPhoto& photo, const Eyes& eyes, double most) {
  EXPECT_LT(mean_difference(photo.left.rgb, eyes.left), most);
  EXPECT_LT(mean_difference(photo.right.rgb, eyes.right), most);
}

TEST(StereoPhoto, NamesTellTheFormat) {
  EXPECT_EQ(stereo_photo_format("a/b.VR.JPG"), StereoPhotoFormat::kVrJpeg);
  EXPECT_EQ(stereo_photo_format("b.vr.jpeg"), StereoPhotoFormat::kVrJpeg);
  EXPECT_EQ(stereo_photo_format("b.mpo"), StereoPhotoFormat::kMpo);
  EXPECT_EQ(stereo_photo_format("b.HEIC"), StereoPhotoFormat::kSpatialHeic);
  EXPECT_FALSE(stereo_photo_format("vr.jpg"));
  EXPECT_FALSE(stereo_photo_format("b.jpg"));
}

TEST(StereoPhoto, AVrPhotoIsWhatItsReadersExpect) {
  const TemporaryFolder folder;
  const auto file = folder / "a.vr.jpg";
  const Eyes eyes = noisy_eyes(640, 640);
  write_stereo_photo(file, eyes.left, eyes.right, StereoPhotoFormat::kVrJpeg, vr180_options());

  EXPECT_EQ(exiftool(file, "-validate -warning -error -s3 -a"), "OK\n");
  EXPECT_EQ(exiftool(file, "-s -XMP-GPano:all -XMP-GImage:ImageMimeType"),
            "UsePanoramaViewer               : True\n"
            "ProjectionType                  : equirectangular\n"
            "CroppedAreaImageWidthPixels     : 640\n"
            "CroppedAreaImageHeightPixels    : 640\n"
            "FullPanoWidthPixels             : 1280\n"
            "FullPanoHeightPixels            : 640\n"
            "CroppedAreaLeftPixels           : 320\n"
            "CroppedAreaTopPixels            : 0\n"
            "PoseHeadingDegrees              : 0\n"
            "PosePitchDegrees                : 0\n"
            "PoseRollDegrees                 : 0\n"
            "InitialViewHeadingDegrees       : 180\n"
            "ImageMimeType                   : image/jpeg\n");
  EXPECT_EQ(extracted(file, "XMP-GImage:ImageData"),
            encode_picture(eyes.right, PictureFormat::kJpeg));
  const auto photo = read_stereo_photo(file);
  ASSERT_TRUE(photo);
  EXPECT_EQ(photo->format, StereoPhotoFormat::kVrJpeg);
  EXPECT_TRUE(photo->left.metadata.equirectangular);
  ASSERT_TRUE(photo->left.metadata.crop);
  EXPECT_EQ(photo->left.metadata.crop->left, 320);
  expect_pair(*photo, eyes, 12.0);
  test::python(folder.path(), R"(
shown = cv2.imread('a.vr.jpg')
assert shown.shape == (640, 640, 3)
)");
}

// Google Photos reads attributes of one rdf:Description, and its segments' sizes are limited.
TEST(StereoPhoto, AVrPhotoHasOneDescriptionOfAttributesAndSmallSegments) {
  const TemporaryFolder folder;
  const Eyes eyes = noisy_eyes(640, 640);
  auto options = vr180_options();
  options.carried.xmp =
      "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
      "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" "
      "xmlns:dc=\"http://purl.org/dc/elements/1.1/\" "
      "xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"><dc:subject><rdf:Bag><rdf:li>one</rdf:li>"
      "</rdf:Bag></dc:subject><xmp:Rating>4</xmp:Rating></rdf:Description></rdf:RDF></x:xmpmeta>";
  write_stereo_photo(folder / "a.vr.jpg", eyes.left, eyes.right, StereoPhotoFormat::kVrJpeg,
                     options);
  test::python(folder.path(), R"(
import hashlib, struct, xml.etree.ElementTree as xml
data = open('a.vr.jpg', 'rb').read()
at, standard, guids, extended = 2, [], set(), b''
while data[at + 1] != 0xDA:
    size = struct.unpack('>H', data[at + 2:at + 4])[0]
    assert size <= 65400, size
    body = data[at + 4:at + 2 + size]
    if body.startswith(b'http://ns.adobe.com/xap/1.0/\0'): standard.append(body[29:])
    if body.startswith(b'http://ns.adobe.com/xmp/extension/\0'):
        guids.add(body[35:67])
        total, offset = struct.unpack('>II', body[67:75])
        assert offset == len(extended)
        extended += body[75:]
    at += 2 + size
assert len(standard) == 1 and len(extended) == total and total > 200000
rdf = '{http://www.w3.org/1999/02/22-rdf-syntax-ns#}'
tree = xml.fromstring(standard[0].decode('utf-8').lstrip('\ufeff').split('?>', 1)[1].rsplit('<?', 1)[0])
descriptions = list(tree.iter(rdf + 'Description'))
assert len(descriptions) == 1 and len(list(descriptions[0])) == 0
attributes = descriptions[0].attrib
assert attributes['{http://ns.adobe.com/xap/1.0/}Rating'] == '4'
guid = attributes['{http://ns.adobe.com/xmp/note/}HasExtendedXMP']
assert guid == hashlib.md5(extended).hexdigest().upper() and guids == {guid.encode()}
xml.fromstring(extended)
)");
}

TEST(StereoPhoto, AWholeSphereAndAPartAreTold) {
  const TemporaryFolder folder;
  const Eyes eyes(300, 150);
  StereoPhotoOptions options;
  options.spherical = SphericalTag{};
  write_stereo_photo(folder / "a.vr.jpg", eyes.left, eyes.right, StereoPhotoFormat::kVrJpeg,
                     options);
  const auto whole = read_stereo_photo(folder / "a.vr.jpg");
  ASSERT_TRUE(whole && whole->left.metadata.crop);
  EXPECT_EQ(whole->left.metadata.crop->full_width, 300);
  EXPECT_EQ(whole->left.metadata.crop->full_height, 150);
  options.spherical = SphericalTag{.top = 0.1, .bottom = 0.15, .left = 0.3, .right = 0.2};
  write_stereo_photo(folder / "b.mpo", eyes.left, eyes.right, StereoPhotoFormat::kMpo, options);
  const auto part = read_stereo_photo(folder / "b.mpo");
  ASSERT_TRUE(part && part->left.metadata.crop && part->right.metadata.crop);
  EXPECT_EQ(part->right.metadata.crop->full_width, 600);
  EXPECT_EQ(part->right.metadata.crop->full_height, 200);
  EXPECT_EQ(part->right.metadata.crop->left, 180);
  EXPECT_EQ(part->right.metadata.crop->top, 20);
}

TEST(StereoPhoto, AVrPhotoCannotBeFlat) {
  const Eyes eyes(32, 32);
  const auto write = [&](const StereoPhotoOptions& options) {
    return error_of([&] {
      static_cast<void>(encode_stereo_photo(eyes.left, eyes.right, StereoPhotoFormat::kVrJpeg,
                                            options, "a.vr.jpg"));
    });
  };
  const std::string message =
      "cannot write 'a.vr.jpg': a VR photo (.vr.jpg) holds equirectangular pictures only; choose "
      "half_equirectangular or equirectangular, or write a .mpo or .jpg file";
  EXPECT_EQ(write({}), message);
  StereoPhotoOptions fisheye;
  fisheye.spherical = SphericalTag{.projection = SphericalTag::Projection::kFisheye};
  EXPECT_EQ(write(fisheye), message);
  EXPECT_THROW(static_cast<void>(encode_stereo_photo(eyes.left, eyes.right.rowRange(0, 16),
                                                     StereoPhotoFormat::kMpo, {}, "a.mpo")),
               std::invalid_argument);
}

TEST(StereoPhoto, AMultiPictureFileIsADisparityPair) {
  const TemporaryFolder folder;
  const auto file = folder / "a.mpo";
  const Eyes eyes = noisy_eyes(800, 600);
  StereoPhotoOptions options;
  options.baseline_m = 0.0775;
  write_stereo_photo(file, eyes.left, eyes.right, StereoPhotoFormat::kMpo, options);
  EXPECT_EQ(exiftool(file, "-validate -warning -error -s3 -a"), "OK\n");
  EXPECT_EQ(exiftool(file,
                     "-s -s -MPFVersion -NumberOfImages -MPIndividualNum -BaseViewpointNum "
                     "-ConvergenceAngle -BaselineLength"),
            "MPFVersion: 0100\nNumberOfImages: 2\nMPIndividualNum: 1\nBaseViewpointNum: 1\n"
            "ConvergenceAngle: 0\nBaselineLength: 0.0775\n");
  EXPECT_EQ(exiftool(file, "-s -s -G1 -a -MPImageFlags -MPImageType"),
            "[MPImage1] MPImageFlags: Representative image\n"
            "[MPImage2] MPImageFlags: (none)\n"
            "[MPImage1] MPImageType: Multi-frame Disparity\n"
            "[MPImage2] MPImageType: Multi-frame Disparity\n");
  const auto second = extracted(file, "MPImage2");
  save_bytes(folder / "second.jpg", second);
  EXPECT_EQ(exiftool(folder / "second.jpg", "-s -s -MPIndividualNum -validate"),
            "MPIndividualNum: 2\nValidate: OK\n");
  EXPECT_LT(mean_difference(read_picture(folder / "second.jpg").rgb, eyes.right), 12.0);
  const auto photo = read_stereo_photo(file);
  ASSERT_TRUE(photo);
  EXPECT_EQ(photo->format, StereoPhotoFormat::kMpo);
  ASSERT_TRUE(photo->baseline_m);
  EXPECT_NEAR(*photo->baseline_m, 0.0775, 1e-9);
  expect_pair(*photo, eyes, 12.0);
  test::python(folder.path(), "assert cv2.imread('a.mpo').shape == (600, 800, 3)");
}

TEST(StereoPhoto, AMultiPictureFileIsReadByItsNameWithoutAnIndex) {
  const TemporaryFolder folder;
  const Eyes eyes(200, 100);
  auto bytes = encode_picture(eyes.left, PictureFormat::kJpeg);
  const auto right = encode_picture(eyes.right, PictureFormat::kJpeg);
  bytes.insert(bytes.end(), right.begin(), right.end());
  EXPECT_FALSE(decode_stereo_photo(bytes, "a.jpg"));
  const auto photo = decode_stereo_photo(bytes, "a.MPO");
  ASSERT_TRUE(photo);
  expect_pair(*photo, eyes, 2.0);
}

TEST(StereoPhoto, ASpatialPhotoHoldsAStereoPairGroup) {
  const TemporaryFolder folder;
  const auto file = folder / "a.heic";
  const Eyes eyes(320, 240);
  StereoPhotoOptions options;
  options.fov_x = Radians::from_degrees(60);
  options.baseline_m = 0.065;
  write_stereo_photo(file, eyes.left, eyes.right, StereoPhotoFormat::kSpatialHeic, options);
  const auto info = test::run(fmt::format("heif-info '{}'", file.string()));
  EXPECT_NE(info.find("image: 320x240 (id=1), primary"), std::string::npos) << info;
  EXPECT_NE(info.find("image: 320x240 (id=3)"), std::string::npos) << info;
  test::run(fmt::format("cd '{}' && heif-convert a.heic b.png", folder.path().string()));
  EXPECT_LT(mean_difference(read_picture(folder / "b-1.png").rgb, eyes.left), 3.0);
  EXPECT_LT(mean_difference(read_picture(folder / "b-2.png").rgb, eyes.right), 3.0);
  EXPECT_EQ(exiftool(file, "-warning -error -s3 -a"), "");
  // 160 / tan(30 degrees)
  EXPECT_NE(exiftool(file, "-xmp -b").find("apple:CameraIntrinsics=\"277.128 0 160 0 277.128 120"),
            std::string::npos);
  const auto photo = read_stereo_photo(file);
  ASSERT_TRUE(photo);
  EXPECT_EQ(photo->format, StereoPhotoFormat::kSpatialHeic);
  ASSERT_TRUE(photo->baseline_m);
  EXPECT_NEAR(*photo->baseline_m, 0.065, 1e-9);
  expect_pair(*photo, eyes, 3.0);
  const auto bytes = bytes_of(file);
  const std::string text(bytes.begin(), bytes.end());
  const std::string group(
      "\0\0\0\x24"
      "grpl\0\0\0\x1C"
      "ster\0\0\0\0\0\1\0\0\0\0\0\2\0\0\0\1\0\0\0\3",
      36);
  EXPECT_NE(text.find(group), std::string::npos);
}

TEST(StereoPhoto, SixteenBitEyesKeepTenInASpatialPhoto) {
  const Eyes eyes(64, 64);
  cv::Mat left;
  cv::Mat right;
  eyes.left.convertTo(left, CV_16U, 257.0);
  eyes.right.convertTo(right, CV_16U, 257.0);
  StereoPhotoOptions options;
  options.spherical = kVr180;
  const auto heic = decode_stereo_photo(
      encode_stereo_photo(left, right, StereoPhotoFormat::kSpatialHeic, options, "a"), "a");
  ASSERT_TRUE(heic);
  ASSERT_EQ(heic->left.rgb.type(), CV_16UC3);
  EXPECT_LT(mean_difference(heic->left.rgb, left), 3.0 * 257);
  const auto mpo = decode_stereo_photo(
      encode_stereo_photo(left, right, StereoPhotoFormat::kMpo, options, "a"), "a");
  ASSERT_TRUE(mpo);
  expect_pair(*mpo, eyes, 2.0);
}

TEST(StereoPhoto, FilesOfOtherWritersAreRead) {
  VERGENCE_REQUIRE_SHARED();
  const auto folder = test::shared_dir() / "video/generated";
  const auto vr = read_stereo_photo(folder / "sample.vr.jpg");
  ASSERT_TRUE(vr);
  EXPECT_EQ(vr->right.rgb.size(), cv::Size(512, 512));
  EXPECT_TRUE(vr->left.metadata.equirectangular);
  EXPECT_GT(mean_difference(vr->left.rgb, vr->right.rgb), 0.5);
  const auto heic = read_stereo_photo(folder / "stereo_pair_grpl.heic");
  ASSERT_TRUE(heic);
  EXPECT_EQ(heic->format, StereoPhotoFormat::kSpatialHeic);
  EXPECT_GT(mean_difference(heic->left.rgb, heic->right.rgb), 0.5);
}

TEST(StereoPhoto, PicturesOfOneEyeAreNone) {
  const Eyes eyes(64, 32);
  for (const auto format : {PictureFormat::kJpeg, PictureFormat::kPng, PictureFormat::kAvif}) {
    EXPECT_FALSE(decode_stereo_photo(encode_picture(eyes.left, format), "a"));
  }
  EXPECT_FALSE(decode_stereo_photo({}, "a"));
}

// ---- files by hand, right and wrong

const std::string kXmpHead("http://ns.adobe.com/xap/1.0/\0", 29);
const std::string kExtendedHead("http://ns.adobe.com/xmp/extension/\0", 35);

std::string u32(std::size_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string piece(const std::string& guid, std::size_t total, std::size_t offset,
                  const std::string& data) {
  return kExtendedHead + guid + u32(total) + u32(offset) + data;
}

// A JPEG with APP1 segments of this content.
std::vector<std::uint8_t> jpeg_with(const cv::Mat& rgb, const std::vector<std::string>& segments) {
  auto bytes = encode_picture(rgb, PictureFormat::kJpeg);
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

std::string base64(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? bytes[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * k) & 63];
    }
  }
  return text;
}

std::string rdf(const std::string& content) {
  return "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "
         "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>" +
         content + "</rdf:RDF></x:xmpmeta>";
}

// Elements in descriptions of their own, as Google Photos does not want them, with a prefix of
// their own.
std::string standard_packet(const std::string& guid) {
  return kXmpHead +
         rdf("<rdf:Description rdf:about='' xmlns:xmpNote='http://ns.adobe.com/xmp/note/'>"
             "<xmpNote:HasExtendedXMP>" +
             guid +
             "</xmpNote:HasExtendedXMP></rdf:Description>"
             "<rdf:Description rdf:about='' xmlns:I='http://ns.google.com/photos/1.0/image/'>"
             "<I:Mime>image/jpeg</I:Mime></rdf:Description><rdf:Description rdf:about='' "
             "xmlns:GPano='http://ns.google.com/photos/1.0/panorama/'>"
             "<GPano:ProjectionType>equirectangular</GPano:ProjectionType></rdf:Description>");
}

std::string element_packet(const std::string& data) {
  return rdf(
      "<rdf:Description rdf:about='' xmlns:I='http://ns.google.com/photos/1.0/image/'>"
      "<I:Data>" +
      data + "</I:Data></rdf:Description>");
}

class VrPhotoByHand : public testing::Test {
 protected:
  const Eyes eyes_{48, 48};
  const std::string right_ = base64(encode_picture(eyes_.right, PictureFormat::kJpeg));
  const std::string guid_ = std::string(32, 'A');
};

TEST_F(VrPhotoByHand, ElementsAndWrongGuidsAreRead) {
  std::string lines;
  for (std::size_t i = 0; i < right_.size(); i += 76) lines += right_.substr(i, 76) + "&#10;\n ";
  for (const auto& data : {right_, lines}) {
    const auto packet = element_packet(data);
    for (const auto& announced : {guid_, std::string(32, 'B'), std::string()}) {
      const auto photo = decode_stereo_photo(
          jpeg_with(eyes_.left,
                    {standard_packet(announced), piece(guid_, packet.size(), 0, packet)}),
          "a");
      ASSERT_TRUE(photo);
      expect_pair(*photo, eyes_, 2.0);
    }
  }
}

TEST_F(VrPhotoByHand, ThePacketThatIsAnnouncedCounts) {
  const auto packet = element_packet(right_);
  const auto other = element_packet("AAAA");
  const auto photo = decode_stereo_photo(
      jpeg_with(eyes_.left,
                {standard_packet(guid_), piece(std::string(32, 'C'), other.size(), 0, other),
                 piece(guid_, packet.size(), 1000, packet.substr(1000)),
                 piece(guid_, packet.size(), 0, packet.substr(0, 1100))}),  // out of order, twice
      "a");
  ASSERT_TRUE(photo);
  expect_pair(*photo, eyes_, 2.0);
}

TEST_F(VrPhotoByHand, ABlurredPhotosOriginalIsNoEye) {
  const auto packet =
      rdf("<rdf:Description rdf:about='' xmlns:GDepth='http://ns.google.com/photos/1.0/depthmap/' "
          "xmlns:GImage='http://ns.google.com/photos/1.0/image/' GImage:Data='" +
          right_ + "'/>");
  EXPECT_FALSE(decode_stereo_photo(
      jpeg_with(eyes_.left, {standard_packet(guid_), piece(guid_, packet.size(), 0, packet)}),
      "a"));
}

TEST_F(VrPhotoByHand, ARightEyeWithARightEyeIsJustAPicture) {
  const auto inner = element_packet(right_);
  const auto nested =
      jpeg_with(eyes_.right, {standard_packet(guid_), piece(guid_, inner.size(), 0, inner)});
  const auto outer = element_packet(base64(nested));
  const auto photo = decode_stereo_photo(
      jpeg_with(eyes_.left, {standard_packet(guid_), piece(guid_, outer.size(), 0, outer)}), "a");
  ASSERT_TRUE(photo);
  expect_pair(*photo, eyes_, 2.0);
}

TEST_F(VrPhotoByHand, DamagedRightEyesAreErrorsThatSaySo) {
  const auto packet = element_packet(right_);
  const auto message = [&](const std::vector<std::string>& pieces) {
    std::vector<std::string> segments{standard_packet(guid_)};
    segments.insert(segments.end(), pieces.begin(), pieces.end());
    const auto bytes = jpeg_with(eyes_.left, segments);
    return error_of([&] { static_cast<void>(decode_stereo_photo(bytes, "a.vr.jpg")); });
  };
  const std::string cut =
      "cannot read 'a.vr.jpg (right eye)': the JPEG data end too early; the file was cut short or "
      "damaged; copy it again from where it came from";
  const std::size_t half = packet.size() / 2;
  EXPECT_EQ(message({piece(guid_, packet.size(), 0, packet.substr(0, half))}), cut);
  EXPECT_EQ(message({piece(guid_, 100 << 20, 0, packet)}),
            "");  // a claim beyond the file: no packet
  EXPECT_EQ(message({piece(guid_, packet.size(), 0xFFFFFFFF, packet)}), "");
  const auto garbage = element_packet("A!B?" + std::string(100, '*'));
  EXPECT_EQ(message({piece(guid_, garbage.size(), 0, garbage)}), "");
  const auto text = element_packet(base64(std::vector<std::uint8_t>(300, 'x')));
  EXPECT_EQ(
      message({piece(guid_, text.size(), 0, text)}).find("'a.vr.jpg (right eye)' is not a picture"),
      0U);
  const auto small =
      element_packet(base64(encode_picture(gradient_rgb(32, 32), PictureFormat::kJpeg)));
  EXPECT_EQ(message({piece(guid_, small.size(), 0, small)}),
            "the eyes of 'a.vr.jpg' have different sizes: 48x48 and 32x32 pixels; the file may not "
            "be a stereo photo; save the picture to be used as a plain one");
}

// Thousands of pieces that each claim all of the file must not take its size each.
TEST_F(VrPhotoByHand, ManyClaimsTakeLittleMemory) {
  std::vector<std::string> segments{standard_packet(guid_)};
  for (int i = 0; i < 20000; ++i) {
    segments.push_back(piece(fmt::format("{:032}", i), 1 << 20, 1 << 19, "x"));
  }
  EXPECT_FALSE(decode_stereo_photo(jpeg_with(eyes_.left, segments), "a"));
}

// The MP index with the right eye's offset and size, or its type, changed.
TEST(StereoPhoto, WrongMultiPictureIndicesAreSafe) {
  const Eyes eyes(64, 64);
  const auto good = encode_stereo_photo(eyes.left, eyes.right, StereoPhotoFormat::kMpo, {}, "a");
  const std::string_view head("MPF\0MM", 6);
  const auto mpf =
      std::search(good.begin(), good.end(), head.begin(), head.end()) - good.begin() + 4;
  constexpr std::ptrdiff_t kSecond = 8 + 2 + 36 + 4 + 16;  // behind the header and the directory
  const auto changed = [&](std::ptrdiff_t field, std::uint32_t value) {
    auto bytes = good;
    const std::string number = u32(value);
    std::ranges::copy(number, bytes.begin() + mpf + kSecond + field);
    return bytes;
  };
  ASSERT_TRUE(decode_stereo_photo(good, "a.jpg"));
  EXPECT_FALSE(decode_stereo_photo(changed(0, 0), "a.jpg"));  // a gain map, a preview
  EXPECT_TRUE(decode_stereo_photo(changed(0, 0), "a.mpo"));
  EXPECT_TRUE(decode_stereo_photo(changed(4, 0xFFFFFFFF), "a.jpg"));  // it ends where the file does
  EXPECT_FALSE(decode_stereo_photo(changed(8, 0xFFFFFF00), "a.jpg"));
  EXPECT_FALSE(decode_stereo_photo(changed(8, 12), "a.jpg"));
  const auto found = decode_stereo_photo(changed(8, 12), "a.mpo");  // by the first one's end
  ASSERT_TRUE(found);
  expect_pair(*found, eyes, 2.0);
  EXPECT_EQ(error_of([&] {
              static_cast<void>(decode_stereo_photo(changed(4, 100), "a.jpg"));
            }).find("cannot read 'a.jpg (right eye)': the JPEG data end too early"),
            0U);
}

TEST(StereoPhoto, TheRightEyeMayComeFirst) {
  const Eyes eyes(64, 64);
  auto bytes = encode_stereo_photo(eyes.left, eyes.right, StereoPhotoFormat::kMpo, {}, "a");
  // MPIndividualNum: LONG, 1, the view.
  const std::vector<std::uint8_t> field{0xB1, 1, 0, 4, 0, 0, 0, 1, 0, 0, 0};
  const auto next = [&](auto from) {
    return std::search(from, bytes.end(), field.begin(), field.end());
  };
  const auto first = next(bytes.begin());
  ASSERT_NE(first, bytes.end());
  const auto second = next(first + 1);
  ASSERT_NE(second, bytes.end());
  const auto size = static_cast<std::ptrdiff_t>(field.size());
  std::swap(first[size], second[size]);
  const auto photo = decode_stereo_photo(bytes, "a.jpg");
  ASSERT_TRUE(photo);
  expect_pair(*photo, {eyes.right, eyes.left}, 2.0);
}

// Anything may come out of a damaged file but a crash, or a failure that is not an Error.
TEST(StereoPhoto, MutationsAndCutsAreSafe) {
  const Eyes eyes(40, 40);
  auto options = vr180_options();
  options.fov_x = Radians::from_degrees(60);
  std::mt19937 random(3);
  for (const auto format :
       {StereoPhotoFormat::kVrJpeg, StereoPhotoFormat::kMpo, StereoPhotoFormat::kSpatialHeic}) {
    const auto good = encode_stereo_photo(eyes.left, eyes.right, format, options, "a");
    ASSERT_TRUE(decode_stereo_photo(good, "a.mpo"));
    int read = 0;
    for (int i = 0; i < 400; ++i) {
      auto bytes = test::mutated(good, random);
      if (i % 4 == 0) bytes.resize(bytes.size() * static_cast<std::size_t>(i) / 400);
      try {
        read += decode_stereo_photo(bytes, "a.mpo") ? 1 : 0;
      } catch (const Error& error) {
        EXPECT_FALSE(std::string(error.what()).empty());
      }
    }
    EXPECT_LT(read, 400);
  }
}

}  // namespace
}  // namespace vergence::media
