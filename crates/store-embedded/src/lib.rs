//! placeholder

#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the records that use it come next"))]
mod engine;
