# SPDX-License-Identifier: Apache-2.0
# Every find_package of the project. The Debian packages behind them: scripts/packages.txt.
find_package(Threads REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(OpenCV 4.5 REQUIRED COMPONENTS core imgproc imgcodecs calib3d)
find_package(fmt 9 REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL 7.85 REQUIRED)
find_package(OpenSSL 3 REQUIRED COMPONENTS Crypto)
find_package(assimp 5.2 REQUIRED)
find_package(meshoptimizer REQUIRED)
find_package(Open3D REQUIRED)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus>=3.3)
pkg_check_modules(exempi REQUIRED IMPORTED_TARGET exempi-2.0)
pkg_check_modules(libexif REQUIRED IMPORTED_TARGET libexif)
pkg_check_modules(libheif REQUIRED IMPORTED_TARGET libheif)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(TIFF 4.5 REQUIRED)
find_package(OpenEXR 3 CONFIG REQUIRED)
pkg_check_modules(libwebp REQUIRED IMPORTED_TARGET libwebp)
pkg_check_modules(libwebpmux REQUIRED IMPORTED_TARGET libwebpmux)
pkg_check_modules(ffmpeg REQUIRED IMPORTED_TARGET libavformat>=59 libavcodec>=59 libavfilter>=8
  libavutil>=57)

# OpenCV's CMake files put its include path on the imported targets only.
add_library(vergence_opencv_core INTERFACE)
target_link_libraries(vergence_opencv_core INTERFACE opencv_core)

# LibTorch's headers are not ours to warn about; only the module `torch` links it.
# at::parallel_for is a template in them, which without OpenMP switched on uses one thread.
find_package(Torch 1.13 REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
add_library(vergence_torch INTERFACE)
target_link_libraries(vergence_torch INTERFACE ${TORCH_LIBRARIES} OpenMP::OpenMP_CXX)
target_include_directories(vergence_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
