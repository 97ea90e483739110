#include "comm/mpi/star.hpp"

#include <mpi.h>

#include <algorithm>

namespace tpinfer::comm {
namespace {

constexpr int kReportTag = 1;
constexpr int kAnswerTag = 2;

bool done(MPI_Request& request, MPI_Status* status = MPI_STATUS_IGNORE) {
  int flag = 0;
  return MPI_Test(&request, &flag, status) == MPI_SUCCESS && flag != 0;
}

}  // namespace

struct Star::State {
  MPI_Comm comm = MPI_COMM_NULL;
  int rank = 0, size = 1;
  double interval = 0;
  bool closing = false;
  MPI_Request receiving = MPI_REQUEST_NULL;
  Report incoming;

  // Rank 0.
  std::vector<Sign> signs;
  std::vector<double> heard;         // when each rank's last report came
  std::vector<MPI_Request> answers;  // at most one under way per rank
  std::vector<int> owed;             // answers that have not been sent yet
  int finished = 1;                  // ranks whose last report has come, itself included

  // Other ranks.
  Report outgoing;
  MPI_Request reporting = MPI_REQUEST_NULL;
  double last_report = -1e9;
  double answered = 0;
  int unanswered = 0;
  bool sent_last = false;

  void expect_report() {
    MPI_Irecv(&incoming, sizeof incoming, MPI_BYTE, MPI_ANY_SOURCE, kReportTag, comm, &receiving);
  }
  void expect_answer() { MPI_Irecv(nullptr, 0, MPI_BYTE, 0, kAnswerTag, comm, &receiving); }

  void exchange_at_centre(const Report& mine, double now) {
    MPI_Status status;
    while (finished < size && done(receiving, &status)) {
      const auto r = static_cast<std::size_t>(status.MPI_SOURCE);
      signs[r].report = incoming;
      heard[r] = now;
      ++owed[r];
      finished += incoming.last;
      if (finished < size) expect_report();
    }
    for (std::size_t r = 1; r < signs.size(); ++r) {
      const bool free = answers[r] == MPI_REQUEST_NULL || done(answers[r]);
      if (free && owed[r] > 0) {
        MPI_Isend(nullptr, 0, MPI_BYTE, static_cast<int>(r), kAnswerTag, comm, &answers[r]);
        --owed[r];
      }
      signs[r].silent_seconds = now - heard[r];
    }
    signs[0] = {mine, 0};
  }

  void exchange_at_ray(const Report& mine, double now) {
    // One receive is always open, until the answer to the last report closes it.
    while (unanswered > 0 && done(receiving)) {
      --unanswered;
      answered = now;
      if (!sent_last || unanswered > 0) expect_answer();
    }
    const bool free = reporting == MPI_REQUEST_NULL || done(reporting);
    const bool due = closing ? !sent_last : now - last_report >= interval;
    if (!free || !due) return;
    outgoing = mine;
    outgoing.last = closing ? 1 : 0;
    sent_last = closing;
    last_report = now;
    MPI_Isend(&outgoing, sizeof outgoing, MPI_BYTE, 0, kReportTag, comm, &reporting);
    ++unanswered;
  }
};

Star::Star(int fortran_handle, double interval_seconds, double now)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.comm = MPI_Comm_f2c(fortran_handle);
  MPI_Comm_rank(s.comm, &s.rank);
  MPI_Comm_size(s.comm, &s.size);
  s.interval = interval_seconds;
  s.answered = now;
  if (s.rank != 0) {
    s.expect_answer();
    return;
  }
  const auto ranks = static_cast<std::size_t>(s.size);
  s.signs.resize(ranks);
  s.heard.assign(ranks, now);
  s.answers.assign(ranks, MPI_REQUEST_NULL);
  s.owed.assign(ranks, 0);
  if (s.size > 1) s.expect_report();
}

Star::~Star() = default;

bool Star::is_centre() const { return state_->rank == 0; }

void Star::exchange(const Report& mine, double now) {
  is_centre() ? state_->exchange_at_centre(mine, now) : state_->exchange_at_ray(mine, now);
}

std::span<const Sign> Star::signs() const { return state_->signs; }

double Star::centre_silent_seconds(double now) const { return now - state_->answered; }

void Star::close() { state_->closing = true; }

bool Star::closed() const {
  const State& s = *state_;
  if (s.rank != 0) {
    return s.sent_last && s.unanswered == 0 && s.reporting == MPI_REQUEST_NULL;
  }
  const auto is_null = [](MPI_Request request) { return request == MPI_REQUEST_NULL; };
  return s.finished == s.size && std::all_of(s.answers.begin(), s.answers.end(), is_null) &&
         std::all_of(s.owed.begin(), s.owed.end(), [](int n) { return n == 0; });
}

}  // namespace tpinfer::comm
