#include "launch/instances/dispatcher.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

constexpr int kMostDeaths = 2;          // of instances, by one request
constexpr std::size_t kAheadTimes = 8;  // requests held, as a multiple of what may be in flight

// Keeps the value of the outermost "id" and nothing else of a request, however large and deep.
class IdFinder : public nlohmann::json_sax<nlohmann::json> {
 public:
  nlohmann::json id;

  bool null() override { return value(nullptr); }
  bool boolean(bool flag) override { return value(flag); }
  bool number_integer(number_integer_t number) override { return value(number); }
  bool number_unsigned(number_unsigned_t number) override { return value(number); }
  bool number_float(number_float_t number, const string_t&) override { return value(number); }
  bool string(string_t& text) override { return value(text); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return enter(); }
  bool key(string_t& name) override {
    wanted_ = depth_ == 1 && name == "id";
    return true;
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  template <typename T>
  bool value(const T& found) {
    if (wanted_ && depth_ == 1) id = found;
    wanted_ = false;
    return true;
  }
  bool enter() {
    wanted_ = false;
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }

  bool wanted_ = false;
  int depth_ = 0;
};

}  // namespace

std::string error_answer(const std::string& request, int code, const std::string& why) {
  IdFinder finder;
  nlohmann::json::sax_parse(request, &finder);
  nlohmann::ordered_json answer;
  answer["id"] = finder.id;
  answer["error"] = {{"code", code}, {"message", why}};
  return answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Dispatcher::Dispatcher(int instances, int in_flight)
    : instances_(index(instances)),
      in_flight_(static_cast<std::size_t>(in_flight)),
      bound_(kAheadTimes * in_flight_ * index(instances)) {}

void Dispatcher::add(std::string line) {
  waiting_.push_back(first_ + static_cast<std::int64_t>(entries_.size()));
  entries_.push_back({std::move(line), {}, 0});
}

std::optional<Dispatcher::Assignment> Dispatcher::next() {
  if (waiting_.empty()) return {};
  int best = -1;
  for (int i = 0; i < static_cast<int>(instances_.size()); ++i) {
    if (!instances_[index(i)].up || instances_[index(i)].owes.size() >= in_flight_) continue;
    if (best < 0 || load(i) < load(best)) best = i;
  }
  if (best < 0) return {};
  const std::int64_t number = waiting_.front();
  waiting_.pop_front();
  instances_[index(best)].owes.push_back(number);
  return Assignment{best, entry(number).line};
}

bool Dispatcher::answer(int instance, std::string line) {
  Instance& from = instances_[index(instance)];
  if (from.owes.empty()) return false;
  entry(from.owes.front()).answer = std::move(line);
  from.owes.pop_front();
  ++from.answered;
  return true;
}

void Dispatcher::answer_with_error(Entry& entry, const std::string& why) {
  entry.answer = error_answer(entry.line, static_cast<int>(Fault::temporary), why);
  ++errors_;
}

void Dispatcher::lost(int instance) {
  Instance& gone = instances_[index(instance)];
  gone.up = false;
  std::deque<std::int64_t> unanswered = std::exchange(gone.owes, {});
  if (!unanswered.empty() && ++entry(unanswered.front()).deaths >= kMostDeaths) {
    answer_with_error(entry(unanswered.front()), "two instances died while they worked on it");
    unanswered.pop_front();
  }
  moved_ += static_cast<std::int64_t>(unanswered.size());
  waiting_.insert(waiting_.begin(), unanswered.begin(), unanswered.end());
  std::sort(waiting_.begin(), waiting_.end());
}

void Dispatcher::give_up(const std::string& why) {
  for (Instance& instance : instances_) instance.owes.clear();
  waiting_.clear();
  for (Entry& entry : entries_) {
    if (!entry.answer) answer_with_error(entry, why);
  }
}

std::optional<std::string> Dispatcher::take_ready() {
  if (entries_.empty() || !entries_.front().answer) return {};
  std::optional<std::string> ready = std::move(entries_.front().answer);
  entries_.pop_front();
  ++first_;
  return ready;
}

}  // namespace tpinfer::launch
