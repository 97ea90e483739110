// Where answers go: stdout, or the file of --output.
#pragma once

#include <string>

namespace tpinfer::launch {

// Each answer is there for readers as soon as write() returns.
class AnswerFile {
 public:
  // "" is stdout; a file is emptied, or kept from its first answers on when `keep_bytes` > 0: then
  // what follows these is cut off. Throws Fault::cannot_create.
  AnswerFile(const std::string& path, std::size_t keep_bytes);
  ~AnswerFile();
  AnswerFile(const AnswerFile&) = delete;
  AnswerFile& operator=(const AnswerFile&) = delete;

  // The line and its end. Beats while the reader of a pipe is slow. Throws Fault::io when the disk
  // is full, or when nobody reads stdout any more.
  void write(const std::string& line);

  // To disk. Throws Fault::io.
  void finish();

 private:
  void write_all(const char* data, std::size_t bytes);

  std::string path_;
  int descriptor_;
};

}  // namespace tpinfer::launch
