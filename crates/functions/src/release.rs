//! Waiting until nothing holds a database that was shut down, so that its directory can be opened again.

use std::time::Duration;

use hull_engine::EngineWatch;

/// How long the tasks of queries that ran a moment ago may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends when the database is let go of, which its last tasks do by themselves; `false` if something keeps it for more
/// than five seconds.
pub async fn released(watch: &EngineWatch) -> bool {
    let let_go = async {
        while !watch.is_closed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, let_go).await.is_ok()
}
