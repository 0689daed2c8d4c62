// SPDX-License-Identifier: Apache-2.0
#include "media/picture.hpp"

#include "core/output_file.hpp"
#include "tests/media/fixtures.hpp"
#include "tests/support/matchers.hpp"
#include "tests/support/paths.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <jpeglib.h>
#include <opencv2/imgproc.hpp>

namespace vergence::media {
namespace {

using test::bytes_of;
using test::error_of;
using test::gradient_rgb;
using test::largest_difference;
using test::python;
using test::TemporaryFolder;

// Saves the gradient (and variants of it) in every format, by OpenCV; RGB arrays as .npy beside
// them would only repeat what gradient_rgb() is.
void save_gradient(const TemporaryFolder& folder) {
  write_picture(folder / "truth.png", gradient_rgb(97, 61));
}

TEST(Picture, OurPngReadsAsOpenCvReadsIt) {
  const TemporaryFolder folder;
  const cv::Mat rgb = gradient_rgb(97, 61);
  write_picture(folder / "a.png", rgb);
  EXPECT_EQ(largest_difference(read_picture(folder / "a.png").rgb, rgb), 0.0);
  const std::string pixel =
      python(folder.path(), "print(cv2.imread('a.png')[60, 96][::-1].tolist())");
  const auto& last = rgb.at<cv::Vec3b>(60, 96);
  EXPECT_EQ(pixel, fmt::format("[{}, {}, {}]\n", last[0], last[1], last[2]));
}

struct FormatCase {
  const char* name;
  const char* file;
  const char* code;  // Python that saves `a` (BGR, from truth.png) as `file`
  double tolerance;  // 8-bit steps
};

class PictureFormats : public ::testing::TestWithParam<FormatCase> {};

TEST_P(PictureFormats, ReadWhatOpenCvWrites) {
  const TemporaryFolder folder;
  save_gradient(folder);
  const auto& param = GetParam();
  python(folder.path(), fmt::format("a = cv2.imread('truth.png')\n{}", param.code));
  const Picture picture = read_picture(folder / param.file);
  const cv::Mat shown = display_rgb8(picture);
  ASSERT_EQ(picture.rgb.channels(), 3);
  cv::Mat expected = gradient_rgb(97, 61);
  if (std::string_view(param.name).ends_with("Grey")) {
    cv::cvtColor(expected, expected, cv::COLOR_RGB2GRAY);
    cv::cvtColor(expected, expected, cv::COLOR_GRAY2RGB);
  }
  EXPECT_LE(largest_difference(shown, expected), param.tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    All, PictureFormats,
    ::testing::Values(
        FormatCase{"Jpeg", "a.jpg", "cv2.imwrite('a.jpg', a, [1, 98])", 5},
        FormatCase{"JpegProgressive", "a.jpg", "cv2.imwrite('a.jpg', a, [1, 98, 2, 1])", 5},
        FormatCase{"JpegGrey", "a.jpg",
                   "cv2.imwrite('a.jpg', cv2.cvtColor(a, cv2.COLOR_BGR2GRAY), [1, 98])", 3},
        FormatCase{"Png16", "a.png", "cv2.imwrite('a.png', a.astype(np.uint16) * 257)", 0},
        FormatCase{"PngGrey", "a.png", "cv2.imwrite('a.png', cv2.cvtColor(a, cv2.COLOR_BGR2GRAY))",
                   0},
        FormatCase{"Tiff", "a.tif", "cv2.imwrite('a.tif', a)", 0},
        FormatCase{"TiffPlain", "a.tif", "cv2.imwrite('a.tif', a, [259, 1])", 0},
        FormatCase{"Tiff16", "a.tiff", "cv2.imwrite('a.tiff', a.astype(np.uint16) * 257)", 0},
        FormatCase{"TiffGrey", "a.tif", "cv2.imwrite('a.tif', cv2.cvtColor(a, cv2.COLOR_BGR2GRAY))",
                   0},
        FormatCase{"WebpLossless", "a.webp", "cv2.imwrite('a.webp', a, [64, 101])", 0},
        FormatCase{"WebpLossy", "a.webp", "cv2.imwrite('a.webp', a, [64, 95])", 12},
        FormatCase{"Bmp", "a.bmp", "cv2.imwrite('a.bmp', a)", 0},
        FormatCase{"BmpGrey", "a.bmp", "cv2.imwrite('a.bmp', cv2.cvtColor(a, cv2.COLOR_BGR2GRAY))",
                   0},
        FormatCase{"Bmp32", "a.bmp", "cv2.imwrite('a.bmp', cv2.cvtColor(a, cv2.COLOR_BGR2BGRA))",
                   0},
        FormatCase{"Ppm", "a.ppm", "cv2.imwrite('a.ppm', a)", 0},
        FormatCase{"PpmText", "a.ppm", "cv2.imwrite('a.ppm', a, [32, 0])", 0},
        FormatCase{"Ppm16", "a.ppm", "cv2.imwrite('a.ppm', a.astype(np.uint16) * 257)", 0},
        FormatCase{"PgmGrey", "a.pgm", "cv2.imwrite('a.pgm', cv2.cvtColor(a, cv2.COLOR_BGR2GRAY))",
                   0},
        FormatCase{"WrongExtension", "a.png",
                   "cv2.imwrite('a.jpg', a, [1, 98])\nimport os\nos.replace('a.jpg', 'a.png')", 5}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(Picture, FloatingPointFormatsAreSceneLinear) {
  const TemporaryFolder folder;
  python(folder.path(), R"(
y, x = np.mgrid[0:40, 0:64].astype(np.float32)
rgb = np.stack([0.01 + x, 0.02 + 50 * y, 3 + 0 * x], -1).astype(np.float32)
np.save('truth.npy', rgb)
for name in ('a.exr', 'a.hdr', 'a.tiff'): cv2.imwrite(name, rgb[..., ::-1])
cv2.imwrite('plain.tiff', rgb[..., ::-1], [259, 1])
cv2.imwrite('half.exr', rgb[..., ::-1], [cv2.IMWRITE_EXR_TYPE, cv2.IMWRITE_EXR_TYPE_HALF])
)");
  for (const auto& [name, relative] : {std::pair{"a.exr", 0.0},
                                       {"half.exr", 1e-3},
                                       {"a.hdr", 0.0},
                                       {"plain.tiff", 0.0},
                                       {"a.tiff", 0.0}}) {
    const cv::Mat rgb = read_picture(folder / name).rgb;
    ASSERT_EQ(rgb.type(), CV_32FC3) << name;
    ASSERT_EQ(rgb.size(), cv::Size(64, 40)) << name;
    const bool logarithmic = name[0] == 'a' && name[2] != 'e';  // HDR; TIFF by OpenCV's default
    for (const auto& [x, y] : {std::pair{0, 0}, {63, 0}, {5, 39}, {40, 20}}) {
      const cv::Vec3d truth(0.01 + x, 0.02 + 50.0 * y, 3.0);
      const double largest = std::max({truth[0], truth[1], truth[2]});
      for (int c = 0; c < 3; ++c) {
        const double tolerance = logarithmic ? largest / 90 : truth[c] * (relative + 1e-6);
        EXPECT_NEAR(rgb.at<cv::Vec3f>(y, x)[c], truth[c], tolerance)
            << name << ' ' << x << ' ' << y;
      }
    }
  }
}

TEST(Picture, FlatAndOldRunLengthHdrAreRead) {
  const TemporaryFolder folder;
  // Two rows of three pixels: flat, then a pixel and an old run of two.
  std::string file = "#?RADIANCE\nFORMAT=32-bit_rle_rgbe\nEXPOSURE=2.0\n\n-Y 2 +X 3\n";
  const std::array<unsigned char, 20> data{128, 64, 32, 129, 200, 0,   0, 130, 0, 0,
                                           0,   0,  10, 20,  30,  128, 1, 1,   1, 2};
  file.append(reinterpret_cast<const char*>(data.data()), data.size());
  write_file(folder / "a.hdr", file);
  const cv::Mat rgb = read_picture(folder / "a.hdr").rgb;
  ASSERT_EQ(rgb.size(), cv::Size(3, 2));
  EXPECT_EQ(rgb.at<cv::Vec3f>(0, 0), cv::Vec3f(0.5F, 0.25F, 0.125F));
  EXPECT_EQ(rgb.at<cv::Vec3f>(0, 2), cv::Vec3f(0, 0, 0));
  EXPECT_EQ(rgb.at<cv::Vec3f>(1, 2), rgb.at<cv::Vec3f>(1, 0));
}

TEST(Picture, TransparencyIsKeptApart) {
  const TemporaryFolder folder;
  save_gradient(folder);
  python(folder.path(), R"(
a = cv2.cvtColor(cv2.imread('truth.png'), cv2.COLOR_BGR2BGRA)
a[..., 3] = np.arange(97)[None] * 2
cv2.imwrite('a.png', a); cv2.imwrite('a.webp', a, [64, 101]); cv2.imwrite('a.tif', a)
b = a.astype(np.uint16) * 257
cv2.imwrite('b.png', b); cv2.imwrite('b.tif', b)
)");
  for (const char* name : {"a.png", "a.webp", "a.tif", "b.png", "b.tif"}) {
    const Picture picture = read_picture(folder / name);
    const bool deep = name[0] == 'b';
    ASSERT_EQ(picture.alpha.type(), deep ? CV_16UC1 : CV_8UC1) << name;
    const int alpha =
        deep ? picture.alpha.at<std::uint16_t>(7, 40) / 257 : picture.alpha.at<std::uint8_t>(7, 40);
    EXPECT_EQ(alpha, 80) << name;
  }
  EXPECT_EQ(largest_difference(read_picture(folder / "a.png").rgb, gradient_rgb(97, 61)), 0.0);
}

TEST(Picture, PalettePngBecomesRgb) {
  const TemporaryFolder folder;
  python(folder.path(), R"(
import struct, zlib
def chunk(n, d): return struct.pack('>I', len(d)) + n + d + struct.pack('>I', zlib.crc32(n + d))
head = b'\x89PNG\r\n\x1a\n'
ihdr = lambda bits, kind: chunk(b'IHDR', struct.pack('>IIBBBBB', 4, 1, bits, kind, 0, 0, 0))
end = chunk(b'IEND', b'')
palette = chunk(b'PLTE', bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7]))
row = chunk(b'IDAT', zlib.compress(b'\0' + bytes([0b00011011])))
open('palette.png', 'wb').write(head + ihdr(2, 3) + palette + row + end)
open('clear.png', 'wb').write(head + ihdr(2, 3) + palette + chunk(b'tRNS', bytes([255, 0])) + row + end)
open('grey2.png', 'wb').write(head + ihdr(2, 0) + row + end)
)");
  const cv::Mat rgb = read_picture(folder / "palette.png").rgb;
  EXPECT_EQ(rgb.at<cv::Vec3b>(0, 0), cv::Vec3b(255, 0, 0));
  EXPECT_EQ(rgb.at<cv::Vec3b>(0, 3), cv::Vec3b(9, 8, 7));
  const Picture clear = read_picture(folder / "clear.png");
  EXPECT_EQ(clear.alpha.at<std::uint8_t>(0, 0), 255);
  EXPECT_EQ(clear.alpha.at<std::uint8_t>(0, 1), 0);
  EXPECT_EQ(read_picture(folder / "grey2.png").rgb.at<cv::Vec3b>(0, 2), cv::Vec3b(170, 170, 170));
}

// A JPEG of four inks as Adobe's programs write it: 255 - ink, with or without a turn to YCCK.
std::vector<std::uint8_t> cmyk_jpeg(std::array<std::uint8_t, 4> inks, bool as_ycck) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &data, &size);
  info.image_width = info.image_height = 16;
  info.input_components = 4;
  info.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, as_ycck ? JCS_YCCK : JCS_CMYK);
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> row;
  for (int x = 0; x < 16; ++x) {
    for (const auto ink : inks) row.push_back(static_cast<std::uint8_t>(255 - ink));
  }
  for (int y = 0; y < 16; ++y) {
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  std::vector<std::uint8_t> bytes(data, data + size);
  jpeg_destroy_compress(&info);
  std::free(data);
  return bytes;
}

TEST(Picture, CmykJpegHasItsColours) {
  for (const bool as_ycck : {false, true}) {
    const auto bytes = cmyk_jpeg({0, 255, 255, 51}, as_ycck);  // red, a fifth of it black
    const cv::Mat rgb = decode_picture(bytes, "inks.jpg").rgb;
    ASSERT_EQ(rgb.type(), CV_8UC3);
    const auto& pixel = rgb.at<cv::Vec3b>(8, 8);
    EXPECT_NEAR(pixel[0], 204, 3);
    EXPECT_NEAR(pixel[1], 0, 3);
    EXPECT_NEAR(pixel[2], 0, 3);
  }
}

TEST(Picture, HeicAndAvifAreReadWithTenBitsToo) {
  const TemporaryFolder folder;
  save_gradient(folder);
  write_picture(folder / "even.png", gradient_rgb(96, 64));
  cv::Mat deep;
  gradient_rgb(96, 64).convertTo(deep, CV_16U, 257.0);
  write_picture(folder / "deep.png", deep);
  test::run(
      fmt::format("cd '{0}' && heif-enc -q 95 even.png -o a.heic && heif-enc -A -q 95 even.png -o "
                  "a.avif && heif-enc -q 95 -b 10 deep.png -o ten.heic",
                  folder.path().string()));
  for (const char* name : {"a.heic", "a.avif", "ten.heic"}) {
    const Picture picture = read_picture(folder / name);
    EXPECT_EQ(picture.rgb.depth(), name[0] == 't' ? CV_16U : CV_8U) << name;
    EXPECT_LE(largest_difference(display_rgb8(picture), gradient_rgb(96, 64)), 10.0) << name;
  }
}

class Orientation : public ::testing::TestWithParam<int> {};

// Where the stored top-left and top-right pixels land (EXIF 2.32, tag 274).
TEST_P(Orientation, IsApplied) {
  const TemporaryFolder folder;
  cv::Mat stored(32, 64, CV_8UC3, cv::Scalar::all(0));
  stored(cv::Rect(0, 0, 32, 16)).setTo(cv::Scalar(255, 0, 0));   // top left red
  stored(cv::Rect(32, 0, 32, 16)).setTo(cv::Scalar(0, 255, 0));  // top right green
  write_picture(folder / "a.jpg", stored, {.jpeg_quality = 100});
  write_picture(folder / "a.tif", stored);
  write_picture(folder / "a.png", stored);
  const int value = GetParam();

  struct Corners {
    cv::Point2f red, green;
  };  // in the upright picture, 0-1

  constexpr float kLow = 0.25F;
  constexpr float kHigh = 0.75F;
  const std::array<Corners, 8> expected{{{{kLow, kLow}, {kHigh, kLow}},
                                         {{kHigh, kLow}, {kLow, kLow}},
                                         {{kHigh, kHigh}, {kLow, kHigh}},
                                         {{kLow, kHigh}, {kHigh, kHigh}},
                                         {{kLow, kLow}, {kLow, kHigh}},
                                         {{kHigh, kLow}, {kHigh, kHigh}},
                                         {{kHigh, kHigh}, {kHigh, kLow}},
                                         {{kLow, kHigh}, {kLow, kLow}}}};
  for (const char* name : {"a.jpg", "a.tif", "a.png"}) {
    test::run(fmt::format("exiftool -q -overwrite_original -n -Orientation={} '{}'", value,
                          (folder / name).string()));
    const cv::Mat rgb = read_picture(folder / name).rgb;
    ASSERT_EQ(rgb.size(), value < 5 ? cv::Size(64, 32) : cv::Size(32, 64)) << name;
    const auto at = [&](cv::Point2f place) {
      return rgb.at<cv::Vec3b>(static_cast<int>(place.y * static_cast<float>(rgb.rows)),
                               static_cast<int>(place.x * static_cast<float>(rgb.cols)));
    };
    const auto& corners = expected[static_cast<std::size_t>(value - 1)];
    EXPECT_GT(at(corners.red)[0], 200) << name;
    EXPECT_LT(at(corners.red)[1], 60) << name;
    EXPECT_GT(at(corners.green)[1], 200) << name;
    EXPECT_LT(at(corners.green)[0], 60) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(AllEight, Orientation, ::testing::Range(1, 9));

TEST(Picture, OnePixelIsAPicture) {
  const TemporaryFolder folder;
  for (const char* name : {"a.png", "a.jpg", "a.tif"}) {
    write_picture(folder / name, cv::Mat(1, 1, CV_8UC3, cv::Scalar(10, 20, 30)));
    EXPECT_EQ(read_picture(folder / name).rgb.size(), cv::Size(1, 1)) << name;
  }
}

TEST(Picture, WrongFilesAreNamedWithTheirReason) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& name, const std::string& content) {
    write_file(folder / name, content);
    const std::string text = error_of([&] { static_cast<void>(read_picture(folder / name)); });
    const std::string prefix = folder.path().string() + "/";
    const auto at = text.find(prefix);
    return at == std::string::npos ? text : text.substr(0, at) + text.substr(at + prefix.size());
  };
  const std::string hint = "; give a JPEG, PNG, TIFF, WebP, HEIC, AVIF, HDR, EXR, BMP or PPM file";
  EXPECT_EQ(message("x.jpg", "%PDF-1.7\n..."),
            "'x.jpg' is not a picture: it looks like a PDF" + hint);
  EXPECT_EQ(message("x.png", ""), "'x.png' is not a picture: it is empty" + hint);
  EXPECT_EQ(message("x.jpg", "hello, world\n"),
            "'x.jpg' is not a picture: it looks like a text file" + hint);
  EXPECT_EQ(message("x.heic", std::string("\0\0\0\x18"
                                          "ftypisom",
                                          12)),
            "'x.heic' is not a picture: it looks like an MP4 or MOV video" + hint);
  EXPECT_EQ(message("x.jpg", std::string("\1\2\3\0\4\5", 6)),
            "'x.jpg' is not a picture: its content is of no known picture format" + hint);
  EXPECT_EQ(message("x.gif", "GIF89a......"),
            "'x.gif' is not a picture: it looks like a GIF" + hint);
  EXPECT_EQ(error_of([&] { static_cast<void>(read_picture(folder / "none.jpg")); }),
            fmt::format("cannot read '{}': no such file or directory; check the path",
                        (folder / "none.jpg").string()));
  EXPECT_EQ(error_of([&] { static_cast<void>(read_picture(folder.path())); }),
            fmt::format("cannot read '{}': it is a folder; name a file inside it",
                        folder.path().string()));
}

TEST(Picture, CutShortIsAnErrorAtAnyLength) {
  const TemporaryFolder folder;
  write_picture(folder / "truth.png", gradient_rgb(256, 160));
  python(folder.path(), R"(
a = cv2.imread('truth.png')
a = a ^ np.random.default_rng(1).integers(0, 32, a.shape, np.uint8)
cv2.imwrite('a.jpg', a, [1, 90]); cv2.imwrite('p.jpg', a, [1, 90, 2, 1]); cv2.imwrite('a.png', a)
cv2.imwrite('a.tif', a); cv2.imwrite('a.webp', a, [64, 90]); cv2.imwrite('l.webp', a, [64, 101])
cv2.imwrite('a.bmp', a); cv2.imwrite('a.ppm', a)
f = a.astype(np.float32)
cv2.imwrite('a.exr', f); cv2.imwrite('a.hdr', f)
cv2.imwrite('even.png', a)
)");
  test::run(fmt::format("cd '{}' && heif-enc -q 90 even.png -o a.heic", folder.path().string()));
  for (const char* name : {"a.jpg", "p.jpg", "a.png", "a.tif", "a.webp", "l.webp", "a.bmp", "a.ppm",
                           "a.exr", "a.hdr", "a.heic"}) {
    const auto whole = bytes_of(folder / name);
    EXPECT_NO_THROW(static_cast<void>(decode_picture(whole, name))) << name;
    for (const double share : {0.1, 0.3, 0.5, 0.8, 0.95, 0.99}) {
      const auto size = static_cast<std::size_t>(share * static_cast<double>(whole.size()));
      const std::string text =
          error_of([&] { static_cast<void>(decode_picture(std::span(whole).first(size), name)); });
      EXPECT_TRUE(text.starts_with(fmt::format("cannot read '{}': ", name)))
          << name << " at " << share << ": " << text;
      EXPECT_NE(text.find("too early"), std::string::npos)
          << name << " at " << share << ": " << text;
    }
  }
}

TEST(Picture, HugeDeclaredSizesAreRefusedBeforeDecoding) {
  const TemporaryFolder folder;
  python(folder.path(), R"(
import struct, zlib
def chunk(n, d): return struct.pack('>I', len(d)) + n + d + struct.pack('>I', zlib.crc32(n + d))
def png(w, h): return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0)) +
                       chunk(b'IDAT', zlib.compress(b'\0')) + chunk(b'IEND', b''))
open('wide.png', 'wb').write(png(100000, 10))
open('large.png', 'wb').write(png(32768, 32768))
open('tiny.png', 'wb').write(png(32768, 16384))
cv2.imwrite('a.jpg', np.zeros((8, 8, 3), np.uint8))
j = bytearray(open('a.jpg', 'rb').read())
at = j.index(b'\xff\xc0') + 5
j[at:at + 4] = struct.pack('>HH', 16384, 32768)
open('tiny.jpg', 'wb').write(j)
)");
  const auto message = [&](const char* name) {
    return error_of([&] { static_cast<void>(decode_picture(bytes_of(folder / name), name)); });
  };
  EXPECT_EQ(
      message("wide.png"),
      "cannot read 'wide.png': 100000 x 10 pixels are too many; make it 32768 x 16384 or smaller");
  EXPECT_EQ(message("large.png"),
            "cannot read 'large.png': 32768 x 32768 pixels are too many; make it 32768 x 16384 or "
            "smaller");
  EXPECT_NE(message("tiny.png").find("too few for the picture it declares"), std::string::npos);
  EXPECT_NE(message("tiny.jpg").find("too few for the picture it declares"), std::string::npos);
}

TEST(Picture, BytesAfterTheEndOfAJpegDoNoHarm) {
  const TemporaryFolder folder;
  auto bytes = encode_picture(gradient_rgb(64, 32), PictureFormat::kJpeg);
  for (int i = 0; i < 1000; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  EXPECT_EQ(decode_picture(bytes, "a.jpg").rgb.size(), cv::Size(64, 32));
}

TEST(Picture, JpegQualityChangesSizeAndHighQualityKeepsColourEdges) {
  cv::Mat edges(64, 64, CV_8UC3, cv::Scalar(255, 0, 0));
  for (int x = 1; x < 64; x += 2) edges.col(x).setTo(cv::Scalar(0, 0, 255));
  const auto high = encode_picture(edges, PictureFormat::kJpeg, {.jpeg_quality = 95});
  const auto low = encode_picture(edges, PictureFormat::kJpeg, {.jpeg_quality = 60});
  EXPECT_GT(high.size(), low.size());
  EXPECT_LT(largest_difference(decode_picture(high, "a").rgb, edges), 40.0);
}

TEST(Picture, TilesAndPlanesOfTiffAreRead) {
  const TemporaryFolder folder;
  save_gradient(folder);
  // A planar, uncompressed TIFF by hand; tiffcp is not at hand on every machine.
  python(folder.path(), R"(
import struct
a = cv2.imread('truth.png')[..., ::-1]
h, w, _ = a.shape
def tiff(name, tags, blocks):
    body = b''; offsets = []; head = 8
    for b in blocks: offsets.append(head + len(body)); body += b
    counts = [len(b) for b in blocks]
    extra_at = head + len(body); extra = b''; entries = []
    for tag, kind, values in sorted(tags(offsets, counts)):
        data = struct.pack('<%d%s' % (len(values), {3: 'H', 4: 'I'}[kind]), *values)
        if len(data) > 4:
            entries.append(struct.pack('<HHII', tag, kind, len(values), extra_at + len(extra))); extra += data
        else: entries.append(struct.pack('<HHI', tag, kind, len(values)) + data.ljust(4, b'\0'))
    ifd_at = extra_at + len(extra)
    open(name, 'wb').write(b'II*\0' + struct.pack('<I', ifd_at) + body + extra +
        struct.pack('<H', len(entries)) + b''.join(entries) + b'\0\0\0\0')
common = [(256, 4, [w]), (257, 4, [h]), (258, 3, [8, 8, 8]), (259, 3, [1]), (262, 3, [2]), (277, 3, [3])]
tiff('planes.tif', lambda o, c: common + [(284, 3, [2]), (278, 4, [h]), (273, 4, o), (279, 4, c)],
     [a[..., i].tobytes() for i in range(3)])
t = 32
p = np.zeros(((h + t - 1) // t * t, (w + t - 1) // t * t, 3), np.uint8); p[:h, :w] = a
tiff('tiles.tif', lambda o, c: common + [(322, 4, [t]), (323, 4, [t]), (324, 4, o), (325, 4, c)],
     [p[y:y+t, x:x+t].tobytes() for y in range(0, p.shape[0], t) for x in range(0, p.shape[1], t)])
)");
  for (const char* name : {"planes.tif", "tiles.tif"}) {
    EXPECT_EQ(largest_difference(read_picture(folder / name).rgb, gradient_rgb(97, 61)), 0.0)
        << name;
  }
}

TEST(Picture, WritingRefusesUnknownExtensionsAndPixels) {
  const TemporaryFolder folder;
  const cv::Mat rgb = gradient_rgb(8, 8);
  EXPECT_EQ(
      error_of([&] { write_picture("a.xyz", rgb); }),
      "cannot write 'a.xyz': a picture cannot have the extension '.xyz'; use .jpg, .png, .tif, "
      ".webp, .avif or .exr");
  cv::Mat deep;
  rgb.convertTo(deep, CV_16U, 257.0);
  EXPECT_THROW(static_cast<void>(encode_picture(deep, PictureFormat::kJpeg)),
               std::invalid_argument);
  write_picture(folder / "deep.png", deep);
  EXPECT_EQ(largest_difference(read_picture(folder / "deep.png").rgb, deep), 0.0);
  write_picture(folder / "deep.tif", deep);
  EXPECT_EQ(largest_difference(read_picture(folder / "deep.tif").rgb, deep), 0.0);
  cv::Mat linear;
  rgb.convertTo(linear, CV_32F, 0.1);
  write_picture(folder / "linear.exr", linear);
  EXPECT_EQ(largest_difference(read_picture(folder / "linear.exr").rgb, linear), 0.0);
}

TEST(Picture, ExtensionsOfABatchIgnoreCase) {
  EXPECT_TRUE(is_picture_file("holiday/IMG_0001.JPG"));
  EXPECT_TRUE(is_picture_file("a.HEIC"));
  EXPECT_FALSE(is_picture_file("notes.txt"));
  EXPECT_FALSE(is_picture_file("jpg"));
}

TEST(Picture, EightThousandByFourThousandReads) {
  const TemporaryFolder folder;
  cv::Mat rgb(4096, 8192, CV_8UC3);
  cv::resize(gradient_rgb(512, 256), rgb, rgb.size());
  write_picture(folder / "large.jpg", rgb);
  const Picture picture = read_picture(folder / "large.jpg");
  EXPECT_EQ(picture.rgb.size(), rgb.size());
  EXPECT_LE(largest_difference(picture.rgb, rgb), 8.0);
}

}  // namespace
}  // namespace vergence::media
