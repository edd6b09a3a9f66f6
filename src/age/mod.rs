//! The sealed file: age v1.
