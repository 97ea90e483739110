// The thread count of the BLAS library, which is one setting for the whole process.
#pragma once

namespace tpinfer::kernels {

// Sets it and returns what it was.
int set_blas_threads(int threads);

}  // namespace tpinfer::kernels
