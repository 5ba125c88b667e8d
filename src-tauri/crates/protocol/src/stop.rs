//! Stop sequences, emulated on the event stream: the upstream has none (kiro-upstream §2.3 V30).
