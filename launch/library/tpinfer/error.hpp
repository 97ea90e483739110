// The errors of the library. Installed in its place is the file named here, which includes nothing
// of ours.
#pragma once

#include "kernels/base/error.hpp"
