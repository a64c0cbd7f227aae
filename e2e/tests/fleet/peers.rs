//! The same 15 objects, made by four: the bare client, the operator, Helm and kro.

use std::sync::Arc;

use commonscloud_cluster::progress::Progress;
use commonscloud_cluster::tools;
use commonscloud_e2e::{Failure, Outcome, command};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::clock::now;
use crate::create::make;
use crate::floor::{Model, Taken, apply};
use crate::plan::Plan;
use crate::ready::LIMIT;
use crate::report::Report;
use crate::{kro, package};

/// Helm processes at a time.
const HELMS: usize = 8;

/// Each contestant in turn.
pub async fn measure(mut bench: Bench, plan: &Plan, report: &mut Report) -> Outcome<Bench> {
    let model = Model::fifteen(&bench).await?;
    let count = plan.compared;
    bench = bench.renewed(plan.fresh).await?;
    eprintln!("{count} instances of 15 objects: the bare client");
    report.detail("peers.floor", model.run(&bench, "bare", count).await?.told());
    bench = bench.renewed(plan.fresh).await?;
    eprintln!("{count} instances of 15 objects: the operator");
    let entities = (0..count).map(|number| package::entity(&format!("ours-{number}"), 1, None)).collect();
    let ours = make(&bench, "ours", entities).await?;
    report.detail("peers.operator", ours.told());
    bench = bench.renewed(plan.fresh).await?;
    eprintln!("{count} instances of 15 objects: Helm");
    let helm = helm(&bench, &model, count).await?;
    report.detail("peers.helm", helm.told());
    report.measured("create.times_faster_than_helm", helm.ready / ours.ready.1);
    bench = bench.renewed(plan.fresh).await?;
    match tools::ensure("kro", &bench.cluster.programs.source, &Progress::shown()).await {
        Err(error) => report.not_measured("create.times_faster_than_kro", &error.to_string()),
        Ok(tool) => {
            eprintln!("{count} instances of 15 objects: kro");
            // The operator has nothing to do with it, and is not to cost it anything.
            bench.stop().await?;
            let kro = kro::run(&bench, &tool, &model, count).await?;
            report.detail("peers.kro", kro.told());
            report.measured("create.times_faster_than_kro", kro.ready / ours.ready.1);
            bench.start(None).await?;
        }
    }
    Ok(bench)
}

/// Makes the namespaces of `count` tenants, and gives the model's other objects, named for no namespace.
pub async fn prepare(bench: &Bench, model: &Model, fleet: &str, count: usize) -> Outcome<Vec<Value>> {
    let namespaces: Outcome<Vec<Value>> = (0..count).map(|number| Ok(model.copy(fleet, number)?.remove(0))).collect();
    apply(bench, &[namespaces?]).await?;
    let mut objects = model.copy(fleet, 0)?.split_off(1);
    for metadata in objects.iter_mut().filter_map(|object| object["metadata"].as_object_mut()) {
        metadata.remove("namespace");
    }
    Ok(objects)
}

/// `helm install` of the same objects, into namespaces that are there.
async fn helm(bench: &Bench, model: &Model, count: usize) -> Outcome<Taken> {
    let objects = prepare(bench, model, "helm", count).await?;
    let chart = bench.folder().join("chart");
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(
        chart.join("Chart.yaml"),
        json!({"apiVersion": "v2", "name": "fifteen", "version": "1.0.0"}).to_string(),
    )?;
    let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
    std::fs::write(chart.join("templates/objects.yaml"), documents.join("\n---\n"))?;
    let (chart, kubeconfig) = (chart.to_string_lossy().into_owned(), bench.cluster.facts.kubeconfig.clone());
    let shared = Arc::new((chart, kubeconfig.to_string_lossy().into_owned()));
    let begun = now();
    let install = |number: usize| {
        let (shared, helm) = (Arc::clone(&shared), &bench.cluster.programs.helm);
        async move {
            let namespace = format!("helm-{number}");
            let words = ["install", "site", &shared.0, "--namespace", &namespace];
            let run = command::run(helm, &words, &[("KUBECONFIG", &shared.1)], None, LIMIT).await?;
            run.succeeded("helm install").map(drop)
        }
    };
    let installed = async {
        futures::stream::iter(0..count).map(install).buffer_unordered(HELMS).try_collect::<()>().await?;
        Ok::<f64, Failure>(now())
    };
    let (applied, ready) = futures::try_join!(installed, model.ready(bench, "helm", count))?;
    // Done is whoever says so last: the program, or the cluster.
    Ok(Taken { objects: count * objects.len(), applied: applied - begun, ready: ready.max(applied) - begun })
}
