#include <filesystem>

#include "shard/file/preflight.hpp"

namespace tpinfer::shard {

std::string helper_beside_program() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "tpinfer-preflight").string();
}

}  // namespace tpinfer::shard
