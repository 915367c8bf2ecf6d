//! What a developer reads when a function is declared or registered wrongly.

#[test]
fn messages() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
