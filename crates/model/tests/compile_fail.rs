//! What a developer reads when a table, an index or a patch is used wrongly.

#[test]
fn messages() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
