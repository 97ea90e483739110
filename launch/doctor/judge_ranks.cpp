#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "kernels/base/text.hpp"
#include "launch/doctor/findings.hpp"

namespace tpinfer::launch {
namespace {

constexpr std::uint64_t kShmBytesPerRank = std::uint64_t{16} << 20;

std::string plural(std::int64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// {0,1,2,5} -> "0-2,5".
std::string ranges(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[i]);
    if (last > i) text += fmt::format("-{}", numbers[last]);
    i = last + 1;
  }
  return text;
}

using Hosts = std::map<std::string, std::vector<int>>;  // host -> its ranks

Hosts hosts_of(const std::vector<RankFacts>& ranks) {
  Hosts hosts;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    hosts[ranks[rank].host].push_back(static_cast<int>(rank));
  }
  return hosts;
}

// What differs between ranks, named by the first rank that differs from rank 0; "" if nothing.
std::string difference(const std::vector<RankFacts>& ranks, std::string RankFacts::*what) {
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    if (ranks[rank].*what == ranks[0].*what) continue;
    return fmt::format("rank 0 on {} has {:.64}, rank {} on {} has {:.64}", ranks[0].host,
                       ranks[0].*what, rank, ranks[rank].host, ranks[rank].*what);
  }
  return "";
}

void judge_programs(const std::vector<RankFacts>& ranks, std::vector<Finding>& found) {
  const std::string same = ranks.size() > 1 ? ", the same on all ranks" : "";
  const std::string versions = difference(ranks, &RankFacts::version);
  const std::string programs = difference(ranks, &RankFacts::program_sha256);
  if (!versions.empty() || !programs.empty()) {
    found.push_back({Verdict::problem, "program",
                     !versions.empty() ? versions : "different builds: " + programs,
                     "install the same build on all hosts"});
  } else {
    found.push_back({Verdict::ok, "program", ranks[0].version + same, ""});
  }
  const std::string processors = difference(ranks, &RankFacts::processor);
  found.push_back(
      {processors.empty() ? Verdict::ok : Verdict::warning, "processor",
       processors.empty() ? ranks[0].processor + same : processors,
       processors.empty() ? "" : "same bits, but the slowest sets the pace; use equal hosts"});
}

// The masks of one host, ranks with equal ones together.
std::string masks_text(const std::vector<RankFacts>& ranks, const std::vector<int>& here) {
  std::map<std::vector<int>, std::vector<int>> by_mask;
  for (int rank : here) by_mask[ranks[static_cast<std::size_t>(rank)].cores].push_back(rank);
  std::vector<std::string> parts;
  for (const auto& [mask, sharing] : by_mask) {
    parts.push_back(fmt::format("{} {} may use {} {}", sharing.size() == 1 ? "rank" : "ranks",
                                ranges(sharing), mask.size() == 1 ? "core" : "cores",
                                ranges(mask)));
    if (parts.size() == 8 && by_mask.size() > 9) {
      parts.push_back(fmt::format("and {} more sets of cores", by_mask.size() - 8));
      break;
    }
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

void judge_cores(const std::string& host, const std::vector<RankFacts>& ranks,
                 const std::vector<int>& here, int threads, std::vector<Finding>& found) {
  std::set<int> cores;
  std::map<std::vector<int>, int> sharing;
  std::size_t smallest = SIZE_MAX;
  for (int rank : here) {
    const RankFacts& facts = ranks[static_cast<std::size_t>(rank)];
    cores.insert(facts.cores.begin(), facts.cores.end());
    ++sharing[facts.cores];
    smallest = std::min(smallest, facts.cores.size());
  }
  const RankFacts& first = ranks[static_cast<std::size_t>(here[0])];
  Finding finding{Verdict::ok, "cores",
                  fmt::format("{}: {} of {} in use; {}", host, cores.size(),
                              plural(first.online_cores, "core"), masks_text(ranks, here)),
                  ""};
  const int wanted = threads > 0 ? threads : first.omp_threads;
  const int least = std::max(1, threads);
  const bool crowded = std::any_of(sharing.begin(), sharing.end(), [&](const auto& entry) {
    return static_cast<std::size_t>(entry.second * least) > entry.first.size();
  });
  if (smallest == 1 && wanted > 1) {
    finding.verdict = Verdict::warning;
    finding.text += fmt::format("; {} per rank are wanted, but a rank may use 1 core",
                                plural(wanted, "thread"));
    finding.remedy = fmt::format("mpirun --map-by slot:PE={0}, srun --cpus-per-task={0}", wanted);
  } else if (crowded) {
    finding.verdict = Verdict::warning;
    finding.text += fmt::format("; {} of {}: more threads than cores, expect no speed",
                                plural(static_cast<std::int64_t>(here.size()), "rank"),
                                plural(least, "thread"));
    finding.remedy =
        cores.size() < static_cast<std::size_t>(first.online_cores)
            ? "give the ranks more cores (mpirun --bind-to core, srun --cpus-per-task; "
              "no taskset around the launcher), or start fewer"
            : "start fewer ranks there";
  }
  found.push_back(finding);
}

void judge_host(const std::string& host, const std::vector<RankFacts>& ranks,
                const std::vector<int>& here, std::vector<Finding>& found) {
  const RankFacts& first = ranks[static_cast<std::size_t>(here[0])];
  const std::uint64_t needed = kShmBytesPerRank * here.size();
  const bool small = here.size() > 1 && first.shm_free_bytes < needed;
  found.push_back(
      {small ? Verdict::warning : Verdict::ok, "shared memory",
       fmt::format("{}: /dev/shm has {} of {} free{}", host, bytes_text(first.shm_free_bytes),
                   bytes_text(first.shm_bytes),
                   small ? fmt::format(", {} may want {}",
                                       plural(static_cast<std::int64_t>(here.size()), "rank"),
                                       bytes_text(needed))
                         : ""),
       small ? "enlarge it: docker run --shm-size=1g, mount -o remount,size=1g /dev/shm" : ""});
  std::string memory = fmt::format("{}: {} available", host, bytes_text(first.available_bytes));
  const bool limited = first.address_bytes > 0;
  if (limited) {
    memory += fmt::format(", but address space is limited to {} per rank",
                          bytes_text(first.address_bytes));
  }
  found.push_back({limited ? Verdict::warning : Verdict::ok, "memory", memory,
                   limited ? "ulimit -v unlimited: libraries reserve more than they use" : ""});
  // Each pair of ranks may hold a connection; a checkpoint has a file per rank that wrote it.
  const std::uint64_t files = 256 + 2 * ranks.size();
  const bool few = first.open_files > 0 && first.open_files < files;
  found.push_back({few ? Verdict::warning : Verdict::ok, "open files",
                   first.open_files == 0
                       ? fmt::format("{}: no limit", host)
                       : fmt::format("{}: at most {} per rank", host, first.open_files),
                   few ? fmt::format("ulimit -n {}", std::max<std::uint64_t>(1024, files)) : ""});
}

}  // namespace

std::vector<Finding> judge_ranks(const std::vector<RankFacts>& ranks, int threads) {
  std::vector<Finding> found;
  const Hosts hosts = hosts_of(ranks);
  std::vector<std::string> counts;
  for (const auto& [host, here] : hosts) counts.push_back(fmt::format("{} {}", host, here.size()));
  found.push_back(
      {Verdict::ok, "hosts",
       fmt::format("{} on {}: {}", plural(static_cast<std::int64_t>(ranks.size()), "rank"),
                   plural(static_cast<std::int64_t>(hosts.size()), "host"),
                   fmt::join(counts, ", ")),
       ""});
  judge_programs(ranks, found);
  for (const auto& [host, here] : hosts) judge_cores(host, ranks, here, threads, found);
  for (const auto& [host, here] : hosts) judge_host(host, ranks, here, found);
  return found;
}

}  // namespace tpinfer::launch
