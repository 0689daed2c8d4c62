// SPDX-License-Identifier: Apache-2.0
// make_sphere_clip OUT.mp4 [FRAMES [WIDTH [CHANNELS]]]: a rendered 360 clip (sphere_clip.hpp) by
// the program `ffmpeg`.
#include "tests/support/sphere_clip.hpp"

#include <exception>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "make_sphere_clip OUT.mp4 [FRAMES [WIDTH [CHANNELS]]]\n";
    return 2;
  }
  try {
    const int frames = argc > 2 ? std::stoi(argv[2]) : 300;
    const int width = argc > 3 ? std::stoi(argv[3]) : 1024;
    const int channels = argc > 4 ? std::stoi(argv[4]) : 2;
    vergence::test::write_sphere_clip(
        argv[1], vergence::test::usual_sphere_clip(frames, {width, width / 2}), "ffmpeg", channels);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
