//! `florin api`: one frontend. It keeps nothing that it could not rebuild.

use crate::config::FrontendConfig;
use crate::shutdown::Shutdown;
use crate::tls::{Dialer, FRONTEND_NAME, public_server};
use crate::{door, telemetry};
use anyhow::{Context, Result, bail};
use florin_api::{AdminOptions, ApiOptions, Backend, Clock, Operators, serve, serve_admin};
use florin_raft::SystemClock;
use florin_shards::{Router, RouterOptions};
use std::path::Path;
use std::sync::Arc;

/// A shorter token could be guessed.
const TOKEN_LENGTH: usize = 32;

/// Runs a frontend until it is told to stop. An error is one sentence for the operator.
pub async fn run(config: FrontendConfig, shutdown: Shutdown) -> Result<()> {
    let tls = public_server(&config.https.cert, &config.https.key)?;
    let dialer = Dialer::new(&config.nodes, FRONTEND_NAME)?.reaching(config.reach.clone());
    let token = operator_token(&config.operator_token_file)?;
    let door = door::open("listen", config.listen).await?;
    let admin_door = door::open("admin_listen", config.admin_listen).await?;
    let metrics = telemetry::start_metrics()?;
    tracing::info!(
        cluster = config.cluster, name = config.name, region = config.region, listen = %config.listen, "starting"
    );
    let router = Router::connect(RouterOptions {
        seeds: config.seeds.clone(),
        cluster: config.cluster.clone(),
        region: config.region.clone(),
        attempt_timeout: config.deadlines.attempt(),
        connector: dialer.connector(),
    })
    .await;

    let backend: Arc<dyn Backend> = Arc::new(router.clone());
    let clock: Clock = Arc::new(SystemClock::now);
    let options = ApiOptions {
        frontends: config.frontends,
        request_timeout: config.deadlines.request(),
        ..ApiOptions::new(clock.clone())
    };
    let operators = Operators {
        request_timeout: config.deadlines.request(),
        ..Operators::new(&token, backend.clone(), clock)
    };
    let ready = router.clone();
    let admin = AdminOptions {
        ready: Arc::new(move || {
            if ready.ready() {
                Ok(())
            } else {
                Err("the directory has not been received yet: is the cluster formed, and can a node be reached?".into())
            }
        }),
        metrics: Arc::new(move || metrics.render()),
        operators: Some(operators),
        connections: florin_api::options::Connections::default(),
    };
    tracing::info!("serving");
    let stop = || {
        let shutdown = shutdown.clone();
        async move { shutdown.requested().await }
    };
    tokio::join!(
        serve(door, tls.clone(), options, backend, stop()),
        serve_admin(admin_door, Some(tls), admin, stop()),
    );
    router.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

fn operator_token(file: &Path) -> Result<String> {
    let named = || format!("field `operator_token_file`: {}", file.display());
    let token = std::fs::read_to_string(file)
        .with_context(named)?
        .trim()
        .to_owned();
    if token.len() < TOKEN_LENGTH || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!(
            "{}: the token must be at least {TOKEN_LENGTH} visible ASCII characters",
            named()
        );
    }
    Ok(token)
}
