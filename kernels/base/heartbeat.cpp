#include "kernels/base/heartbeat.hpp"

namespace tpinfer {

std::atomic<std::uint64_t>& heartbeat_count() {
  static std::atomic<std::uint64_t> count{0};
  return count;
}

}  // namespace tpinfer
