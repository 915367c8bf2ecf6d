//! Convex values: total order, key bytes, ids, JSON forms and size rules.
