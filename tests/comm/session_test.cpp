#include "comm/mpi/session.hpp"

#include <gtest/gtest.h>

#include "comm/environment.hpp"
#include "tests/comm/world.hpp"

namespace tpinfer::comm {
namespace {

TEST(Session, KnowsWhereItRuns) {
  const Session& session = test_session();
  EXPECT_EQ(session.hosts().size(), static_cast<std::size_t>(world().size()));
  EXPECT_EQ(session.hosts()[static_cast<std::size_t>(world().rank())], host_name());
  EXPECT_GE(session.node_count(), 1);
  EXPECT_LT(session.node_rank(), session.ranks_on_node());
  if (session.node_count() == 1) {
    EXPECT_EQ(session.ranks_on_node(), world().size());
    EXPECT_EQ(session.node_rank(), world().rank());
  }
}

TEST(Session, TheEnvironmentAgreesWithMpi) {
  EXPECT_EQ(environment_rank(), world().rank());
  EXPECT_EQ(environment_size(), world().size());
}

TEST(Session, VersionIsANameAndANumber) {
  const std::string version = mpi_version();
  EXPECT_TRUE(version.starts_with("Open MPI ") || version.starts_with("MPICH ")) << version;
  EXPECT_TRUE(version.back() >= '0' && version.back() <= '9') << version;
  EXPECT_EQ(version.find_first_of("\t\n,"), version.npos) << version;
}

TEST(Session, ThreadLevelIsNamed) {
  EXPECT_EQ(test_session().threads_may_call(), test_session().thread_level() == "multiple");
}

}  // namespace
}  // namespace tpinfer::comm
