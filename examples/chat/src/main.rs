//! A chat: rooms in which everybody sees every message at once. `cargo run --release -p chat`, then open the page in
//! two windows.

use std::process::ExitCode;

use hull::prelude::*;
use hull::{Page, serve};

#[derive(Table)]
#[table("messages")]
#[index(by_room(room))]
struct Message {
    room: String,
    author: String,
    body: String,
}

/// The hundred newest messages of a room, oldest first.
#[query]
async fn list(ctx: &QueryCtx, room: String) -> Result<Vec<Doc<Message>>> {
    let in_room = ctx.db.query::<Message>().with_index(Message::by_room, |q| q.eq(Message::room, room));
    let mut newest = in_room.order(Order::Desc).take(100).await?;
    newest.reverse();
    Ok(newest)
}

/// Says something in a room.
#[mutation]
async fn send(ctx: &MutationCtx, room: String, author: String, body: String) -> Result<()> {
    let body = body.trim();
    if author.is_empty() || body.is_empty() || body.chars().count() > 2_000 {
        return Err(ConvexError::new("A message has an author and 1 to 2,000 characters").into());
    }
    ctx.db.insert(Message { room, author, body: body.to_owned() }).await?;
    Ok(())
}

fn app() -> App {
    App::new().table::<Message>().module(Module::new("messages").with(functions![list, send]))
}

fn main() -> ExitCode {
    serve(app()).page(Page::html(include_str!("chat.html"))).run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hull::TestApp;

    #[tokio::test]
    async fn a_message_appears_in_its_room_alone() -> Result<()> {
        let app = TestApp::new(app())?;
        let mut reader = app.session();
        let (here, there) = ("tea".to_owned(), "coffee".to_owned());
        let tea = reader.subscribe(list { room: here.clone() })?;
        let coffee = reader.subscribe(list { room: there })?;
        reader.step().await;
        let say = |body: &str| send { room: here.clone(), author: "Ada".into(), body: body.into() };
        app.mutation(say("hello ")).await?;
        assert_eq!(reader.changed().await, [tea]);
        assert!(reader.json(tea).unwrap_or_default().contains(r#""body":"hello""#));
        assert_eq!(reader.json(coffee).as_deref(), Some("[]"));
        assert!(app.mutation(say(" ")).await.is_err_and(|error| error.data.is_some()));
        Ok(())
    }
}
