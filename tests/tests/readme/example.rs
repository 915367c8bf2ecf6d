use hull::prelude::*;

#[derive(Table)]
#[table("messages")]
#[index(by_channel(channel))]
struct Message { channel: String, body: String }

/// The messages of a channel, newest first.
#[query]
async fn list(ctx: &QueryCtx, channel: String) -> Result<Vec<Doc<Message>>> {
    ctx.db.query::<Message>().with_index(Message::by_channel, |q| q.eq(Message::channel, channel)).order(Order::Desc).take(50).await
}

#[mutation]
async fn send(ctx: &MutationCtx, channel: String, body: String) -> Result<Id<Message>> {
    ctx.db.insert(Message { channel, body }).await
}

fn app() -> App {
    App::new().table::<Message>().module(Module::new("messages").with(functions![list, send]))
}
