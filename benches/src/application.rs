//! The measured application: accounts and transfers, a chat room, rows that belong to users, and a table to import.
//!
//! Tables, paths and argument names are fixed, so that other load generators can drive it too. All numbers are
//! `v.number()`; a function that has nothing to say returns null.

use hull::prelude::*;

/// How many messages of a channel are kept and shown.
const MESSAGES: usize = 50;

#[derive(Table)]
#[table("accounts")]
#[index(by_account_id(id))]
struct Account {
    id: f64,
    balance: f64,
}

#[derive(Table)]
#[table("messages")]
#[index(by_channel(channel))]
struct Message {
    channel: String,
    body: String,
}

#[derive(Table)]
#[table("items")]
#[index(by_user(user))]
struct Item {
    user: f64,
    body: String,
}

/// A row of a long list that everybody sees.
#[derive(Table)]
#[table("posts")]
#[index(by_position(position))]
struct Post {
    position: f64,
    stamp: String,
    body: String,
}

/// What is imported and exported.
#[derive(Table)]
#[table("records")]
#[index(by_user(user))]
#[index(by_name(name))]
struct Record {
    user: f64,
    name: String,
    body: String,
}

mod accounts {
    use super::*;

    /// What a caller sees of an account.
    #[derive(Object)]
    pub(super) struct Balance {
        id: f64,
        balance: f64,
    }

    pub(super) async fn find(ctx: &QueryCtx, id: f64) -> Result<Option<Doc<Account>>> {
        ctx.db.query::<Account>().with_index(Account::by_account_id, |q| q.eq(Account::id, id)).first().await
    }

    #[query(rename_all = "snake_case")]
    async fn get_account(ctx: &QueryCtx, id: f64) -> Result<Nullable<Balance>> {
        let account = find(ctx, id).await?;
        Ok(account.map(|found| Balance { id: found.value.id, balance: found.value.balance }).into())
    }

    /// Adds to an account, whatever it holds by then.
    #[mutation(rename_all = "snake_case")]
    async fn credit(ctx: &MutationCtx, id: Id<Account>, amount: f64) -> Result<()> {
        ctx.db.increment(id, Account::balance, amount).await
    }

    pub(super) fn module() -> Module {
        Module::new("accounts").with(functions![get_account, credit])
    }
}

mod seed {
    use super::*;

    #[mutation(rename_all = "snake_case")]
    async fn seed_range(ctx: &MutationCtx, start: f64, count: f64, initial: f64) -> Result<()> {
        for offset in 0..count as u32 {
            ctx.db.insert(Account { id: start + f64::from(offset), balance: initial }).await?;
        }
        Ok(())
    }

    #[mutation(rename_all = "snake_case")]
    async fn clear_accounts(ctx: &MutationCtx) -> Result<f64> {
        let accounts = ctx.db.query::<Account>().take(4_000).await?;
        for account in &accounts {
            ctx.db.delete(account._id).await?;
        }
        Ok(accounts.len() as f64)
    }

    pub(super) fn module() -> Module {
        Module::new("seed").with(functions![seed_range, clear_accounts])
    }
}

mod transfers {
    use super::*;

    #[mutation(rename_all = "snake_case")]
    async fn transfer(ctx: &MutationCtx, amount: f64, from_id: f64, to_id: f64) -> Result<()> {
        if from_id == to_id {
            return Ok(());
        }
        let (Some(from), Some(to)) = (accounts::find(ctx, from_id).await?, accounts::find(ctx, to_id).await?)
        else {
            return Ok(());
        };
        if from.balance < amount {
            return Ok(());
        }
        ctx.db.patch(from._id, Patch::new().set(Account::balance, from.balance - amount)).await?;
        ctx.db.patch(to._id, Patch::new().set(Account::balance, to.balance + amount)).await
    }

    pub(super) fn module() -> Module {
        Module::new("transfer").with(functions![transfer])
    }
}

mod messages {
    use super::*;

    #[mutation]
    async fn send(ctx: &MutationCtx, channel: String, body: String) -> Result<()> {
        ctx.db.insert(Message { channel: channel.clone(), body }).await?;
        for old in newest(ctx, &channel, MESSAGES + 1).await?.iter().skip(MESSAGES) {
            ctx.db.delete(old._id).await?;
        }
        Ok(())
    }

    #[query]
    async fn latest(ctx: &QueryCtx, channel: String) -> Result<Vec<Doc<Message>>> {
        newest(ctx, &channel, MESSAGES).await
    }

    async fn newest(ctx: &QueryCtx, channel: &str, count: usize) -> Result<Vec<Doc<Message>>> {
        ctx.db
            .query::<Message>()
            .with_index(Message::by_channel, |q| q.eq(Message::channel, channel))
            .order(Order::Desc)
            .take(count)
            .await
    }

    pub(super) fn module() -> Module {
        Module::new("messages").with(functions![send, latest])
    }
}

mod items {
    use super::*;

    /// Gives each user that has no rows yet `each` of them.
    #[mutation]
    async fn seed(ctx: &MutationCtx, start: f64, users: f64, each: f64) -> Result<()> {
        for user in (0..users as u32).map(|offset| start + f64::from(offset)) {
            if of(ctx, user, 1).await?.is_empty() {
                for row in 0..each as u32 {
                    let body =
                        format!("Row {row} of user {user}, as long as a short note that someone left here");
                    ctx.db.insert(Item { user, body }).await?;
                }
            }
        }
        Ok(())
    }

    #[query(rename_all = "snake_case")]
    async fn of_user(ctx: &QueryCtx, user: f64) -> Result<Vec<Doc<Item>>> {
        of(ctx, user, usize::MAX).await
    }

    /// The user's rows without what [`touch`] changes in them.
    #[query(rename_all = "snake_case")]
    async fn ids_of_user(ctx: &QueryCtx, user: f64) -> Result<Vec<Selected<Item, (f64,)>>> {
        let items = ctx.db.query::<Item>().with_index(Item::by_user, |q| q.eq(Item::user, user));
        items.select(Item::user).collect().await
    }

    /// Changes the first of the user's rows.
    #[mutation]
    async fn touch(ctx: &MutationCtx, user: f64, body: String) -> Result<()> {
        for item in of(ctx, user, 1).await? {
            ctx.db.patch(item._id, Patch::new().set(Item::body, &body)).await?;
        }
        Ok(())
    }

    async fn of(ctx: &QueryCtx, user: f64, count: usize) -> Result<Vec<Doc<Item>>> {
        ctx.db.query::<Item>().with_index(Item::by_user, |q| q.eq(Item::user, user)).take(count).await
    }

    pub(super) fn module() -> Module {
        Module::new("items").with(functions![seed, of_user, ids_of_user, touch])
    }
}

mod board {
    use super::*;

    /// Begins anew with so many rows, each with a body of so many characters.
    #[mutation]
    async fn seed(ctx: &MutationCtx, rows: f64, length: f64, stamp: String) -> Result<()> {
        for post in ctx.db.query::<Post>().collect().await? {
            ctx.db.delete(post._id).await?;
        }
        for row in 0..rows as u32 {
            let body = text(&format!("{stamp} {row}"), length as usize);
            ctx.db.insert(Post { position: f64::from(row), stamp: stamp.clone(), body }).await?;
        }
        Ok(())
    }

    /// All rows, the newest first.
    #[query]
    async fn list(ctx: &QueryCtx) -> Result<Vec<Doc<Post>>> {
        all(ctx).await
    }

    /// Writes the row in the middle anew.
    #[mutation]
    async fn change_one(ctx: &MutationCtx, stamp: String) -> Result<()> {
        let posts = all(ctx).await?;
        match posts.get(posts.len() / 2) {
            Some(post) => rewrite(ctx, post, &stamp).await,
            None => Ok(()),
        }
    }

    /// Puts a row on top, and takes the last away.
    #[mutation]
    async fn insert_top(ctx: &MutationCtx, stamp: String) -> Result<()> {
        let posts = all(ctx).await?;
        let (Some(first), Some(last)) = (posts.first(), posts.last()) else { return Ok(()) };
        let body = text(&stamp, first.body.len());
        ctx.db.insert(Post { position: first.position + 1.0, stamp, body }).await?;
        ctx.db.delete(last._id).await
    }

    /// Writes every row anew.
    #[mutation]
    async fn change_all(ctx: &MutationCtx, stamp: String) -> Result<()> {
        for post in all(ctx).await? {
            rewrite(ctx, &post, &stamp).await?;
        }
        Ok(())
    }

    async fn all(ctx: &QueryCtx) -> Result<Vec<Doc<Post>>> {
        ctx.db.query::<Post>().with_index(Post::by_position, |q| q).order(Order::Desc).collect().await
    }

    async fn rewrite(ctx: &MutationCtx, post: &Doc<Post>, stamp: &str) -> Result<()> {
        let body = text(&format!("{stamp} {}", post.position), post.body.len());
        ctx.db.patch(post._id, Patch::new().set(Post::stamp, stamp).set(Post::body, &body)).await
    }

    /// Text of this length that has nothing in common with that of another seed.
    fn text(seed: &str, length: usize) -> String {
        let mut state =
            seed.bytes().fold(7u32, |state, byte| state.wrapping_mul(31).wrapping_add(byte.into()));
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + (state >> 24) as u8 % 26)
        };
        (0..length).map(|_| letter()).collect()
    }

    pub(super) fn module() -> Module {
        Module::new("board").with(functions![seed, list, change_one, insert_top, change_all])
    }
}

/// All tables and functions.
pub fn app() -> App {
    let schema = Schema::new().of::<Account>().of::<Message>().of::<Item>().of::<Post>().of::<Record>();
    App::new()
        .schema(schema)
        .module(accounts::module())
        .module(seed::module())
        .module(transfers::module())
        .module(messages::module())
        .module(items::module())
        .module(board::module())
}
