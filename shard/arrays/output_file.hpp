// An output file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tpinfer::shard {

// Written under no name where the file system can do that (then even kill -9 leaves nothing), else
// under "TARGET.tmp.PID.N" beside the target; commit() puts it in the target's place in one step.
// Until then an older target stays untouched. Without commit() everything is removed.
class OutputFile {
 public:
  // `named`: a library that asks for the file's real path (HDF5) is to write it.
  // `kept`: it survives this process as kept_path(target), where a later one goes on writing; an
  // exclusive lock keeps others away. `in_place`: the finished target itself is opened again, by
  // the process that follows one which died after commit().
  enum class Naming : std::uint8_t { unnamed_if_possible, named, kept, in_place };

  // Throws Fault::cannot_create: no such folder, no permission, the target is not a regular file,
  // another process is writing the kept file.
  explicit OutputFile(const std::string& target, Naming naming = Naming::unnamed_if_possible);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Takes the disk space of the first `bytes` bytes now, where the file system can. Throws
  // Fault::io when there is not enough, before anything is computed. Not in a file that was there.
  void reserve(std::uint64_t bytes);

  // Writes at a byte offset, in any order; beats once per 4 MiB. Throws Fault::io.
  void write_at(std::uint64_t offset, const void* data, std::size_t bytes);
  // Writes after what append() wrote before. Not to be mixed with write_at.
  void append(const void* data, std::size_t bytes);

  // Writes bytes that do not depend on what is computed. In a file that an earlier process wrote
  // (was_there()) it compares them instead; throws Fault::data when they differ.
  void write_structure(std::uint64_t offset, const void* data, std::size_t bytes);
  // Reads what was written. Throws Fault::data when the file ends before, Fault::io.
  void read_at(std::uint64_t offset, void* out, std::size_t bytes) const;

  // Of a kept file: whether an earlier process left it (start_again() forgets that and its bytes);
  // keep() says whether it stays when this process ends without commit().
  bool was_there() const { return was_there_; }
  void start_again();
  void keep(bool stays) { keep_ = stays; }
  // What was written so far, to disk. Throws Fault::io.
  void sync();

  // A path by which a library can open the file for reading and writing until commit().
  const std::string& working_path() const { return working_path_; }
  const std::string& target() const { return target_; }

  // To disk, then into place. Throws Fault::io. Call once, last.
  void commit();

 private:
  bool open_unnamed();
  void open_named();
  void open_kept();
  void open_in_place();
  [[noreturn]] void fail_write(const char* action) const;
  void sync_directory() const;

  std::string target_;    // as the caller calls it
  std::string resolved_;  // behind symbolic links: the file that is replaced
  std::string directory_;
  std::string temporary_;  // the name used now or shortly before the rename
  std::string working_path_;
  int descriptor_ = -1;
  bool was_there_ = false, keep_ = false;
  int registered_ = -1;  // place in the registry while `temporary_` exists
  std::uint64_t appended_bytes_ = 0;
  std::uint64_t end_ = 0;  // of what belongs to the output
};

// Where a kept file of this target stands: beside the file that the target's links lead to.
//   y.npy -> y.npy.part
std::string kept_path(const std::string& target);
// The file that would be replaced or made: behind symbolic links.
std::string resolved_path(const std::string& target);

// The names in the folder of `path` to disk. Throws Fault::io.
void sync_folder_of(const std::string& path);

// Removes a file, which may be missing already, and the trace of it from its folder on disk. Throws
// Fault::io.
void remove_file(const std::string& path);

// Unlinks the temporaries that this process has registered. For handlers of signals and before
// MPI_Abort, when destructors will not run; async-signal-safe.
void remove_temporaries();

}  // namespace tpinfer::shard
