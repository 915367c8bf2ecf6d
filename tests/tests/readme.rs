//! The README's example does what the README says: a subscriber is told of the message that somebody sends.

use hull::TestApp;
use hull::prelude::Result;

/// The example, letter for letter: [`the_readme_shows_this_example`] holds the two together.
mod example {
    include!("readme/example.in");

    pub(crate) fn the_app() -> App {
        app()
    }
}

#[test]
fn the_readme_shows_this_example() {
    let readme = include_str!("../../README.md");
    let example = include_str!("readme/example.in");
    assert!(
        readme.contains(&format!("```rust\n{example}```")),
        "README.md and tests/readme/example.in differ"
    );
}

#[tokio::test]
async fn a_subscriber_is_told_of_a_message() -> Result<()> {
    let app = TestApp::new(example::the_app())?;
    let mut session = app.session();
    let list = session.subscribe_at("messages:list", general(&[]))?;
    session.step().await;
    assert_eq!(session.json(list).as_deref(), Some("[]"));

    app.mutation_at("messages:send", general(&[("body", "hello")])).await?;
    assert_eq!(session.changed().await, [list]);
    let messages = session.json(list).unwrap_or_default();
    assert!(messages.contains(r#""body":"hello""#) && messages.matches("_id").count() == 1, "{messages}");
    Ok(())
}

fn general(more: &[(&str, &str)]) -> hull::value::Value {
    hull::value::Value::object([("channel", "general")].iter().chain(more).copied())
}
