// Compiled into the binding and run before TensorFlow's own start-up code ("-z initfirst"), which prints two lines that no
// environment variable silences: sets the least level of log messages, as TF_CPP_MIN_LOG_LEVEL does for later ones.
#include <cstdlib>

#include "absl/log/globals.h"

__attribute__((constructor)) static void set_log_level() {
  const char* level = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  absl::SetMinLogLevel(static_cast<absl::LogSeverityAtLeast>(level ? std::atoi(level) : 2));
}
