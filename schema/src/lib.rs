//! Every table of the example applications.
