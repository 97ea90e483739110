#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "shard/arrays/placed_writer.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{1} << 20;
constexpr std::size_t kSlabBytes = std::size_t{4} << 20;

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string element_json(const View& view, std::int64_t index) {
  if (view.dtype == DType::boolean) return view.as<std::uint8_t>()[index] != 0 ? "true" : "false";
  std::string text = element_text(view, index);
  const bool finite = view.dtype == DType::f32   ? std::isfinite(view.as<float>()[index])
                      : view.dtype == DType::f64 ? std::isfinite(view.as<double>()[index])
                                                 : true;
  return finite ? text : '"' + text + '"';
}

// The numbers of one array as text, in a file without a name beside the target: rows of several
// arrays come in turns, and only one of them can go straight into the output.
class Spool {
 public:
  explicit Spool(const std::string& target) : file_(target) {}

  void add(const std::string& text) {
    file_.append(text.data(), text.size());
    bytes_ += text.size();
  }

  void copy_to(OutputFile& out) const {
    const int descriptor = ::open(file_.working_path().c_str(), O_RDONLY | O_CLOEXEC);
    std::string buffer(kFlushBytes, '\0');
    for (std::uint64_t done = 0; done < bytes_;) {
      const ssize_t got =
          ::pread(descriptor, buffer.data(), buffer.size(), static_cast<off_t>(done));
      if (got <= 0) {
        ::close(descriptor);
        fail(Fault::io, out.target() + ": reading back a temporary file failed");
      }
      out.append(buffer.data(), static_cast<std::size_t>(got));
      done += static_cast<std::uint64_t>(got);
    }
    ::close(descriptor);
  }

 private:
  OutputFile file_;  // never committed
  std::uint64_t bytes_ = 0;
};

class JsonWriter : public ArrayWriter {
 public:
  JsonWriter(std::unique_ptr<OutputFile> file, std::vector<ArraySpec> arrays)
      : file_(std::move(file)),
        rows_(file_->target(), std::move(arrays)),
        has_elements_(rows_.arrays().size(), false) {
    write("{\"schema\": 1, \"outputs\": {");
    if (!rows_.arrays().empty()) write(start_of(0));
    for (std::size_t i = 1; i < rows_.arrays().size(); ++i) {
      spools_.push_back(std::make_unique<Spool>(file_->target()));
    }
  }

  void append(std::size_t output, const void* data, std::int64_t rows) override {
    rows_.add(output, rows);
    const DType dtype = rows_.arrays()[output].dtype;
    const auto count = static_cast<std::int64_t>(static_cast<std::size_t>(rows) *
                                                 rows_.row_bytes(output) / size_of(dtype));
    const View view{const_cast<void*>(data), dtype, {count}};
    std::string text;
    for (std::int64_t i = 0; i < count; ++i) {
      if (has_elements_[output]) text += ", ";
      has_elements_[output] = true;
      text += element_json(view, i);
      if (text.size() < kFlushBytes && i + 1 < count) continue;
      put(output, text);
      text.clear();
    }
  }

  void finish() override {
    rows_.check_complete();
    for (std::size_t i = 1; i < rows_.arrays().size(); ++i) {
      write("]}, " + start_of(i));
      spools_[i - 1]->copy_to(*file_);
      spools_[i - 1].reset();
    }
    write(rows_.arrays().empty() ? "}}\n" : "]}}}\n");
    file_->commit();
  }

 private:
  std::string start_of(std::size_t output) const {
    const ArraySpec& array = rows_.arrays()[output];
    return fmt::format("{}: {{\"dtype\": \"{}\", \"shape\": [{}], \"data\": [", quoted(array.name),
                       name_of(array.dtype), fmt::join(array.shape, ", "));
  }

  void put(std::size_t output, const std::string& text) {
    if (output == 0) {
      write(text);
    } else {
      spools_[output - 1]->add(text);
    }
  }

  void write(const std::string& text) { file_->append(text.data(), text.size()); }

  std::unique_ptr<OutputFile> file_;
  RowCount rows_;
  std::vector<bool> has_elements_;
  std::vector<std::unique_ptr<Spool>> spools_;  // of every array but the first
};

// Text of rows that came in other pieces would be the same, but where a row ends in it cannot be
// known: what is kept are the elements.
class KeptJsonWriter : public PlacedWriter {
 public:
  using PlacedWriter::PlacedWriter;

 protected:
  void commit(OutputFile& file) override {
    file.sync();
    const std::vector<ArraySpec>& arrays = rows().arrays();
    JsonWriter json(std::make_unique<OutputFile>(file.target()), arrays);
    std::vector<std::byte> slab;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const std::int64_t all = rows().rows_done(i);
      const std::size_t row_bytes = std::max<std::size_t>(1, rows().row_bytes(i));
      const auto step = static_cast<std::int64_t>(std::max<std::size_t>(1, kSlabBytes / row_bytes));
      for (std::int64_t begin = 0; begin < all; begin += step) {
        const Range part{begin, std::min(all, begin + step)};
        slab.resize(static_cast<std::size_t>(part.size()) * rows().row_bytes(i));
        read_rows(i, part, slab.data());
        json.append(i, slab.data(), part.size());
      }
    }
    json.finish();
  }
};

}  // namespace

std::unique_ptr<PlacedWriter> kept_json_writer(std::unique_ptr<OutputFile> file,
                                               std::vector<ArraySpec> arrays) {
  std::vector<std::uint64_t> offsets;
  std::uint64_t end = 0;
  for (const ArraySpec& array : arrays) {
    offsets.push_back(end);
    end += byte_count(array.shape, array.dtype);
  }
  file->reserve(end);
  return std::make_unique<KeptJsonWriter>(std::move(file), std::move(arrays), std::move(offsets));
}

std::unique_ptr<ArrayWriter> json_writer(std::unique_ptr<OutputFile> file,
                                         std::vector<ArraySpec> arrays) {
  return std::make_unique<JsonWriter>(std::move(file), std::move(arrays));
}

}  // namespace tpinfer::shard
