//! The schema language as data: tables, validators, indexes.
