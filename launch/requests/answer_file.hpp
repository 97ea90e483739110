// Where answers go: stdout, or the file of --output.
#pragma once

#include <cstddef>
#include <string>

namespace tpinfer::launch {

// Each answer is there for readers as soon as write() returns.
class AnswerFile {
 public:
  // "" is stdout; a file is emptied unless it `resumes`: then it keeps its bytes, and nobody else
  // can resume it meanwhile. Throws Fault::cannot_create.
  AnswerFile(const std::string& path, bool resumes);
  ~AnswerFile();
  AnswerFile(const AnswerFile&) = delete;
  AnswerFile& operator=(const AnswerFile&) = delete;

  // The line and its end. Beats while the reader of a pipe is slow. Throws Fault::io when the disk
  // is full, or when nobody reads stdout any more.
  void write(const std::string& line);

  // Of a file: its size; its first bytes stay, and writing goes on after them. Throws Fault::io.
  std::size_t bytes() const;
  void cut(std::size_t bytes);

  // To disk. Throws Fault::io.
  void sync();

 private:
  [[noreturn]] void fail_io() const;
  void write_all(const char* data, std::size_t bytes);

  std::string path_;
  int descriptor_;
};

}  // namespace tpinfer::launch
