//! The application that the tests drive: small functions that each show one thing.

use std::collections::BTreeMap;

use hull::prelude::*;

#[derive(Table)]
#[table("counters")]
#[index(by_name(name))]
struct Counter {
    name: String,
    count: f64,
}

/// What somebody said.
#[derive(Table)]
#[table("messages")]
#[index(by_channel(channel))]
#[search(search_body(body), filter(channel))]
pub struct Message {
    /// Where.
    pub channel: String,
    /// What.
    pub body: String,
}

#[derive(Table)]
#[table("stored")]
#[index(by_key(key))]
#[index(by_value(value))]
struct Stored {
    key: String,
    value: Value,
}

/// A row of a client.
#[derive(Table)]
#[table("ledger")]
#[index(by_client(client, seq))]
pub struct Entry {
    /// Whose.
    pub client: String,
    /// Its number.
    pub seq: f64,
}

/// All of it.
pub fn app() -> App {
    let schema = Schema::new().of::<Counter>().of::<Message>().of::<Stored>().of::<Entry>();
    let types = crate::types::modules();
    types
        .into_iter()
        .fold(App::new().schema(schema), App::module)
        .module(counters::module())
        .module(messages::module())
        .module(values::module())
        .module(ledger::module())
        .module(errors::module())
        .module(logs::module())
        .module(big::module())
}

/// `counters:*`: numbers with names.
pub mod counters {
    use super::*;

    pub(super) async fn find(ctx: &QueryCtx, name: &str) -> Result<Option<Doc<Counter>>> {
        ctx.db.query::<Counter>().with_index(Counter::by_name, |q| q.eq(Counter::name, name)).unique().await
    }

    pub(super) async fn add_to(ctx: &MutationCtx, name: &str, by: f64) -> Result<f64> {
        match find(ctx, name).await? {
            Some(counter) => {
                let count = counter.count + by;
                ctx.db.patch(counter._id, Patch::new().set(Counter::count, count)).await?;
                Ok(count)
            }
            None => {
                ctx.db.insert(Counter { name: name.to_owned(), count: by }).await?;
                Ok(by)
            }
        }
    }

    /// A counter's number.
    #[query]
    pub async fn get(ctx: &QueryCtx, name: String) -> Result<f64> {
        Ok(find(ctx, &name).await?.map_or(0.0, |counter| counter.count))
    }

    /// Adds to a counter.
    #[mutation]
    pub async fn add(ctx: &MutationCtx, name: String, by: f64) -> Result<f64> {
        add_to(ctx, &name, by).await
    }

    /// Adds to two counters in one transaction.
    #[mutation]
    pub async fn add_pair(ctx: &MutationCtx, left: String, right: String, by: f64) -> Result<()> {
        add_to(ctx, &left, by).await?;
        add_to(ctx, &right, by).await?;
        Ok(())
    }

    /// Removes all counters.
    #[internal_mutation]
    pub async fn reset_all(ctx: &MutationCtx) -> Result<()> {
        for counter in ctx.db.query::<Counter>().collect().await? {
            ctx.db.delete(counter._id).await?;
        }
        Ok(())
    }

    pub(super) fn module() -> Module {
        Module::new("counters").with(functions![get, add, add_pair, reset_all])
    }
}

/// `messages:*`: what people say in channels.
pub mod messages {
    use super::*;

    /// Says something.
    #[mutation]
    pub async fn send(ctx: &MutationCtx, channel: String, body: String) -> Result<Id<Message>> {
        ctx.db.insert(Message { channel, body }).await
    }

    /// A channel's messages, newest first.
    #[query]
    pub async fn list(ctx: &QueryCtx, channel: String) -> Result<Vec<Doc<Message>>> {
        ctx.db
            .query::<Message>()
            .with_index(Message::by_channel, |q| q.eq(Message::channel, channel))
            .order(Order::Desc)
            .collect()
            .await
    }

    #[mutation]
    async fn edit(ctx: &MutationCtx, id: Id<Message>, body: String) -> Result<()> {
        ctx.db.patch(id, Patch::new().set(Message::body, body)).await
    }

    /// Says a number of things of a length at once.
    #[mutation]
    pub async fn send_many(ctx: &MutationCtx, channel: String, count: u32, length: u32) -> Result<()> {
        for _ in 0..count {
            ctx.db.insert(Message { channel: channel.clone(), body: "x".repeat(length as usize) }).await?;
        }
        Ok(())
    }

    /// How long a channel's messages are, in pages: reads much and answers little.
    #[query]
    pub async fn lengths(
        ctx: &QueryCtx,
        channel: String,
        pagination_opts: PaginationOptions,
    ) -> Result<PaginationResult<f64>> {
        let messages =
            ctx.db.query::<Message>().with_index(Message::by_channel, |q| q.eq(Message::channel, channel));
        Ok(messages.paginate(pagination_opts).await?.map(|message| message.value.body.len() as f64))
    }

    /// Takes back what was said.
    #[mutation]
    pub async fn remove(ctx: &MutationCtx, id: Id<Message>) -> Result<()> {
        ctx.db.delete(id).await
    }

    pub(super) fn module() -> Module {
        Module::new("messages").with(functions![send, list, send_many, lengths, edit, remove])
    }
}

mod values {
    use super::*;

    #[query]
    async fn echo(_ctx: &QueryCtx, value: Value) -> Result<Value> {
        Ok(value)
    }

    #[mutation]
    async fn store(ctx: &MutationCtx, key: String, value: Value) -> Result<()> {
        ctx.db.insert(Stored { key, value }).await?;
        Ok(())
    }

    async fn find(ctx: &QueryCtx, key: String) -> Result<Option<Doc<Stored>>> {
        ctx.db.query::<Stored>().with_index(Stored::by_key, |q| q.eq(Stored::key, key)).unique().await
    }

    /// Gives a key another value.
    #[mutation]
    async fn put(ctx: &MutationCtx, key: String, value: Value) -> Result<()> {
        match find(ctx, key.clone()).await? {
            Some(stored) => ctx.db.patch(stored._id, Patch::new().set(Stored::value, value)).await,
            None => ctx.db.insert(Stored { key, value }).await.map(|_| ()),
        }
    }

    #[query]
    async fn get(ctx: &QueryCtx, key: String) -> Result<Value> {
        Ok(find(ctx, key).await?.map_or(Value::Null, |stored| Doc::into_value(stored).value))
    }

    /// What is stored, in the order of the index on the values.
    #[query]
    async fn sorted(ctx: &QueryCtx) -> Result<Vec<Doc<Stored>>> {
        ctx.db.query::<Stored>().with_index(Stored::by_value, |q| q).collect().await
    }

    pub(super) fn module() -> Module {
        Module::new("values").with(functions![echo, store, put, get, sorted])
    }
}

/// `ledger:*`: rows and their count, which must agree.
pub mod ledger {
    use super::*;

    /// Writes a row and counts it elsewhere: after a crash both are there or neither is.
    #[mutation]
    pub async fn append(ctx: &MutationCtx, client: String, seq: f64) -> Result<()> {
        counters::add_to(ctx, &client, 1.0).await?;
        ctx.db.insert(Entry { client, seq }).await?;
        Ok(())
    }

    /// What is there of a client: the count, the rows, and whether they are all the first ones.
    #[derive(Debug, PartialEq, Object)]
    pub struct State {
        /// What was counted.
        pub count: f64,
        /// The rows.
        pub rows: f64,
        /// Whether they are the first ones, without a gap.
        pub in_order: bool,
    }

    /// The rows of a client.
    #[query]
    pub async fn state(ctx: &QueryCtx, client: String) -> Result<State> {
        let count = counters::find(ctx, &client).await?.map_or(0.0, |counter| counter.count);
        let rows = ctx
            .db
            .query::<Entry>()
            .with_index(Entry::by_client, |q| q.eq(Entry::client, client))
            .collect()
            .await?;
        let in_order = rows.iter().enumerate().all(|(at, row)| row.seq == at as f64);
        Ok(State { count, rows: rows.len() as f64, in_order })
    }

    /// Rows of a client in pages, by their numbers.
    #[query]
    pub async fn page(
        ctx: &QueryCtx,
        client: String,
        pagination_opts: PaginationOptions,
    ) -> Result<PaginationResult<Doc<Entry>>> {
        let rows = ctx.db.query::<Entry>().with_index(Entry::by_client, |q| q.eq(Entry::client, client));
        rows.paginate(pagination_opts).await
    }

    /// All rows of a client, by their numbers.
    #[query]
    pub async fn all(ctx: &QueryCtx, client: String) -> Result<Vec<Doc<Entry>>> {
        ctx.db.query::<Entry>().with_index(Entry::by_client, |q| q.eq(Entry::client, client)).collect().await
    }

    /// Writes rows of a client with these numbers.
    #[mutation]
    pub async fn insert(ctx: &MutationCtx, client: String, seqs: Vec<f64>) -> Result<()> {
        for seq in seqs {
            ctx.db.insert(Entry { client: client.clone(), seq }).await?;
        }
        Ok(())
    }

    /// Gives a row another number.
    #[mutation]
    pub async fn renumber(ctx: &MutationCtx, id: Id<Entry>, seq: f64) -> Result<()> {
        ctx.db.patch(id, Patch::new().set(Entry::seq, seq)).await
    }

    /// Removes rows.
    #[mutation]
    pub async fn remove(ctx: &MutationCtx, ids: Vec<Id<Entry>>) -> Result<()> {
        for id in ids {
            ctx.db.delete(id).await?;
        }
        Ok(())
    }

    pub(super) fn module() -> Module {
        Module::new("ledger").with(functions![append, state, page, all, insert, renumber, remove])
    }
}

/// `errors:*`: functions that fail.
pub mod errors {
    use super::*;

    #[mutation]
    async fn plain(ctx: &MutationCtx) -> Result<()> {
        counters::add_to(ctx, "written by a failure", 1.0).await?;
        Err(Error::message("plain failure"))
    }

    /// Fails with data.
    #[mutation]
    pub async fn data(ctx: &MutationCtx, data: Value) -> Result<()> {
        counters::add_to(ctx, "written by a failure", 1.0).await?;
        Err(ConvexError::new(data).into())
    }

    #[mutation]
    async fn panic(_ctx: &MutationCtx) -> Result<()> {
        let nothing: BTreeMap<String, f64> = BTreeMap::new();
        nothing.get("missing").map(|_| ()).expect("a function of an application may be wrong");
        Ok(())
    }

    #[query]
    async fn query_data(_ctx: &QueryCtx, data: Value) -> Result<()> {
        Err(ConvexError::new(data).into())
    }

    /// A query that fails while a counter is odd.
    #[query]
    async fn odd_counter(ctx: &QueryCtx, name: String) -> Result<f64> {
        let count = counters::find(ctx, &name).await?.map_or(0.0, |counter| counter.count);
        if count % 2.0 == 0.0 { Ok(count) } else { Err(Error::message("the counter is odd")) }
    }

    /// A mutation that fails while a counter is odd.
    #[mutation]
    async fn odd_mutation(ctx: &MutationCtx, name: String) -> Result<f64> {
        let count = counters::find(ctx, &name).await?.map_or(0.0, |counter| counter.count);
        if count % 2.0 == 0.0 { Ok(count) } else { Err(Error::message("the counter is odd")) }
    }

    pub(super) fn module() -> Module {
        Module::new("errors").with(functions![plain, data, panic, query_data, odd_counter, odd_mutation])
    }
}

mod logs {
    use super::*;

    fn every_level(ctx: &QueryCtx) {
        ctx.log("a plain line");
        ctx.info("an informative line");
        ctx.warn("a warning");
        ctx.error("an error");
        ctx.debug("a line for developers\nwith a second line");
    }

    #[mutation]
    async fn write(ctx: &MutationCtx) -> Result<()> {
        every_level(ctx);
        Ok(())
    }

    #[query]
    async fn read(ctx: &QueryCtx) -> Result<()> {
        every_level(ctx);
        Ok(())
    }

    pub(super) fn module() -> Module {
        Module::new("logs").with(functions![write, read])
    }
}

mod big {
    use super::*;

    #[query]
    async fn text(_ctx: &QueryCtx, length: f64) -> Result<String> {
        Ok("x".repeat(length as usize))
    }

    pub(super) fn module() -> Module {
        Module::new("big").with(functions![text])
    }
}
