#include "kernels/base/sha256.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) {
    fail(Fault::internal, "OpenSSL offers no SHA-256");
  }
}

Sha256::~Sha256() = default;

void Sha256::update(const void* data, std::size_t bytes) {
  constexpr std::size_t kStep = std::size_t{1} << 20;
  const auto* at = static_cast<const unsigned char*>(data);
  while (bytes > 0) {
    const std::size_t step = std::min(bytes, kStep);
    EVP_DigestUpdate(state_->context, at, step);
    at += step;
    bytes -= step;
    beat();
  }
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int length = 0;
  EVP_DigestFinal_ex(state_->context, digest.data(), &length);
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string Sha256::hex_so_far() const {
  Sha256 copy;
  if (EVP_MD_CTX_copy_ex(copy.state_->context, state_->context) != 1) {
    fail(Fault::internal, "OpenSSL cannot copy a SHA-256");
  }
  return copy.hex();
}

std::string sha256_hex(const void* data, std::size_t bytes) {
  Sha256 hash;
  hash.update(data, bytes);
  return hash.hex();
}

}  // namespace tpinfer
