// The instruction sets that Highway leaves out: SSSE3 and SSE4 lack FMA, AVX3_DL adds nothing here.
// To be included before Highway's own headers, in every file that dispatches.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
