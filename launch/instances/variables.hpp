// What tpinfer launch tells its instances, in their environment.
#pragma once

namespace tpinfer::launch {

// The instance's number, from 0.
inline constexpr const char* kInstanceVariable = "TPINFER_LAUNCH_INSTANCE";

// Paths of memory for weights (runtime::SharedMemory) that the launcher holds: one for each rank of
// an instance, with ":" between.
inline constexpr const char* kWeightsVariable = "TPINFER_LAUNCH_WEIGHTS";

// The path of the gate where instances wait for each other (StartGate).
inline constexpr const char* kGateVariable = "TPINFER_LAUNCH_GATE";

}  // namespace tpinfer::launch
