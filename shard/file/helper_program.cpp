#include <dlfcn.h>

#include <filesystem>
#include <vector>

#include "shard/file/preflight.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

// The shared library that this code is part of; empty when it is part of a program.
fs::path own_library() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&helper_beside_program), &info) == 0) return {};
  const fs::path file = info.dli_fname;
  if (file.filename().string().find(".so") == std::string::npos) return {};
  std::error_code error;
  return fs::canonical(file, error);
}

}  // namespace

std::string helper_beside_program() {
  std::error_code error;
  const fs::path library = own_library();
  const fs::path self = library.empty() ? fs::read_symlink("/proc/self/exe", error) : library;
  const fs::path folder = self.parent_path();
  // As installed, then as built.
  const std::vector<fs::path> places =
      library.empty() ? std::vector<fs::path>{folder, folder / TPINFER_LIBEXEC_FROM_BIN}
                      : std::vector<fs::path>{folder / TPINFER_LIBEXEC_FROM_LIB, folder / "../bin"};
  for (const fs::path& place : places) {
    const fs::path helper = (place / "tpinfer-preflight").lexically_normal();
    if (fs::exists(helper, error)) return helper.string();
  }
  return (places.front() / "tpinfer-preflight").lexically_normal().string();
}

}  // namespace tpinfer::shard
