// Requests from one stream, shared out to instances; answers in the order of the requests.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace tpinfer::launch {

// Knows nothing of processes. Each request gets exactly one answer, whatever instances die:
//   add("a") add("b") add("c");  next() -> {0,"a"}, {1,"b"};  lost(0);  next() -> {1,"a"}
// Instances answer their requests in the order in which they got them.
class Dispatcher {
 public:
  // At most `in_flight` requests are unanswered at one instance.
  Dispatcher(int instances, int in_flight);

  // Whether to read another request: what waits, is worked on or waits for its turn to be written
  // is bounded.
  bool wants_more() const { return entries_.size() < bound_; }
  void add(std::string line);

  // An instance that is `up` takes part; none is at first.
  void set_up(int instance, bool up) { instances_[index(instance)].up = up; }

  struct Assignment {
    int instance = 0;
    const std::string& line;
  };
  // What to send now, the least loaded instance first; empty when nothing waits or all are busy.
  std::optional<Assignment> next();

  // Takes an answer of this instance; false when it owes none.
  bool answer(int instance, std::string line);

  // The instance has died: its unanswered requests go to the others. The oldest of them is the one
  // that it worked on; when that is so for the second time, the answer is an error.
  void lost(int instance);

  // There is nobody left to answer: whatever is unanswered gets this error.
  void give_up(const std::string& why);

  // The answer that is to be written next, if it is there.
  std::optional<std::string> take_ready();

  bool empty() const { return entries_.empty(); }  // every request has been answered and written
  int load(int instance) const { return static_cast<int>(instances_[index(instance)].owes.size()); }
  std::int64_t errors() const { return errors_; }  // answers made by give_up() and lost()
  std::int64_t moved() const { return moved_; }    // requests that went to another instance
  std::int64_t answered(int instance) const { return instances_[index(instance)].answered; }

 private:
  struct Entry {
    std::string line;
    std::optional<std::string> answer;
    int deaths = 0;  // of instances that worked on it
  };
  struct Instance {
    std::deque<std::int64_t> owes;  // numbers of requests
    bool up = false;
    std::int64_t answered = 0;
  };

  static std::size_t index(int instance) { return static_cast<std::size_t>(instance); }
  Entry& entry(std::int64_t number) { return entries_[static_cast<std::size_t>(number - first_)]; }
  void answer_with_error(Entry& entry, const std::string& why);

  std::deque<Entry> entries_;         // from the oldest that is not written yet
  std::int64_t first_ = 0;            // the number of entries_.front()
  std::deque<std::int64_t> waiting_;  // numbers, in order, not with any instance
  std::vector<Instance> instances_;
  std::size_t in_flight_, bound_;
  std::int64_t errors_ = 0, moved_ = 0;
};

// {"id":7,"error":{"code":75,"message":"..."}}: the answer to a request that nobody could work on;
// its id if it has one that can be read.
std::string error_answer(const std::string& request, int code, const std::string& why);

}  // namespace tpinfer::launch
