//! Derives and attributes that declare tables and functions.
