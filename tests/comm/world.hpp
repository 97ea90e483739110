// The session of the test program.
#pragma once

#include "comm/mpi/session.hpp"

namespace tpinfer::comm {

Session& test_session();
inline Communicator& world() { return test_session().world(); }

}  // namespace tpinfer::comm
