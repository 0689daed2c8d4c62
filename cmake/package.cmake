# SPDX-License-Identifier: Apache-2.0
# find_package(Vergence) for consumers; they need the headers of std, OpenCV core and Eigen only.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Vergence)
install(EXPORT VergenceTargets NAMESPACE Vergence:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/VergenceConfig.cmake.in
  ${PROJECT_BINARY_DIR}/VergenceConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/VergenceConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/VergenceConfig.cmake
  ${PROJECT_BINARY_DIR}/VergenceConfigVersion.cmake DESTINATION ${package_dir})
install(FILES LICENSE NOTICE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
