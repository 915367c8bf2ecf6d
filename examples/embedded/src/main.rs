//! Hull inside another program: a to-do list in the terminal, kept in a directory, without a server or a socket.
//!
//! ```text
//! cargo run --release -p embedded -- ./todo add "water the plants"
//! cargo run --release -p embedded -- ./todo done 1
//! cargo run --release -p embedded -- ./todo
//! ```

use std::error::Error as StdError;
use std::process::ExitCode;

use hull::Embedded;
use hull::prelude::*;

#[derive(Table)]
#[table("todos")]
struct Todo {
    text: String,
    done: bool,
}

/// All of it, oldest first.
#[query]
async fn list(ctx: &QueryCtx) -> Result<Vec<Doc<Todo>>> {
    ctx.db.query::<Todo>().take(1_000).await
}

/// One more thing to do.
#[mutation]
async fn add(ctx: &MutationCtx, text: String) -> Result<Id<Todo>> {
    ctx.db.insert(Todo { text, done: false }).await
}

/// Done.
#[mutation]
async fn finish(ctx: &MutationCtx, id: Id<Todo>) -> Result<()> {
    ctx.db.patch(id, Patch::new().set(Todo::done, true)).await
}

fn app() -> App {
    App::new().table::<Todo>().module(Module::new("todos").with(functions![list, add, finish]))
}

/// Obeys the words of a command line, and gives the list as it is shown.
async fn obey(directory: &str, words: &[&str]) -> Result<Vec<String>, Box<dyn StdError>> {
    let database = Embedded::open(app(), directory).await?;
    let lines = change(&database, words).await;
    // Also after a mistake: another process may want the directory at once.
    database.close().await?;
    lines
}

async fn change(database: &Embedded, words: &[&str]) -> Result<Vec<String>, Box<dyn StdError>> {
    // The list is live: it changes when the mutation below is durable.
    let mut live = database.subscribe(list {})?;
    let mut todos = live.next().await.ok_or("the database has stopped")??;
    let changed = match words {
        [] => false,
        ["add", text @ ..] if !text.is_empty() => {
            database.mutation(add { text: text.join(" ") }).await?;
            true
        }
        ["done", number] => {
            let number: usize = number.parse()?;
            let todo =
                number.checked_sub(1).and_then(|index| todos.get(index)).ok_or("there is no such line")?;
            let open = !todo.done;
            database.mutation(finish { id: todo._id }).await?;
            open
        }
        _ => return Err("usage: embedded DIRECTORY [add TEXT | done NUMBER]".into()),
    };
    if changed {
        todos = live.next().await.ok_or("the database has stopped")??;
    }
    let mark = |done| if done { 'x' } else { ' ' };
    let line =
        |(index, todo): (usize, &Doc<Todo>)| format!("{}. [{}] {}", index + 1, mark(todo.done), todo.text);
    Ok(todos.iter().enumerate().map(line).collect())
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (directory, words) =
        words.split_first().map_or(("./todo", &[][..]), |(first, rest)| (first.as_str(), rest));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match obey(directory, &words).await {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_list_outlives_the_program() -> Result<(), Box<dyn StdError>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().to_str().ok_or("a path that is no text")?;
        assert!(obey(path, &[]).await?.is_empty());
        assert_eq!(obey(path, &["add", "water", "the plants"]).await?, ["1. [ ] water the plants"]);
        obey(path, &["add", "rest"]).await?;
        assert_eq!(obey(path, &["done", "1"]).await?, ["1. [x] water the plants", "2. [ ] rest"]);
        assert_eq!(obey(path, &["done", "1"]).await?.len(), 2);
        assert!(obey(path, &["done", "3"]).await.is_err());
        assert_eq!(obey(path, &[]).await?, ["1. [x] water the plants", "2. [ ] rest"]);
        Ok(())
    }
}
