# SPDX-License-Identifier: GPL-3.0-or-later
"""Build step, as the image's own user: what the image is for, once, for real. Prints the versions; any failure ends the build."""

import concurrent.futures
import importlib.metadata
import json
import pathlib
import tempfile
import warnings

warnings.simplefilter("error")
warnings.simplefilter("ignore", ResourceWarning)  # the clients of kernels leave the loops of their threads to the interpreter's end


def check(what, found, expected):
    """One line when it is not as it should be."""
    if found != expected:
        raise SystemExit("smoke: %s: found %r, expected %r" % (what, found, expected))


def plots():
    """Text in Korean with a negative number, in a plain plot and with seaborn's theme, gives no warning of a missing letter."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    import seaborn

    for theme in (None, seaborn.set_theme):
        if theme:
            theme()
        axes = plt.figure().gca()
        axes.plot([-1, 0, 1], [1, 0, -1])
        axes.set_title("서울의 기온 -1° €")
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            plt.savefig(file.name)
            check("a plot is a PNG file", pathlib.Path(file.name).read_bytes()[:4], b"\x89PNG")
        plt.close("all")


def libraries():
    """Native code of each loads."""
    import confluent_kafka
    import cryptography.hazmat.bindings._rust
    import numpy
    import pandas
    import polars
    import psycopg
    import pyarrow.dataset
    import pyarrow.parquet
    import scipy.optimize
    import scipy.stats
    import sklearn.ensemble
    import sqlalchemy
    import statsmodels.api

    del confluent_kafka, cryptography, pyarrow, sqlalchemy, statsmodels
    check("psycopg's own library", psycopg.pq.__impl__, "binary")
    frame = pandas.DataFrame({"x": numpy.arange(10.0)})
    check("polars from pandas", polars.from_pandas(frame)["x"].sum(), 45.0)
    check("a fitted tree", len(sklearn.ensemble.RandomForestClassifier(2).fit(frame, frame.x > 4).predict(frame)), 10)
    check("a minimum", round(scipy.optimize.minimize_scalar(lambda x: (x - 2) ** 2).x, 3), 2.0)
    assert scipy.stats


def gpu():
    """torch works without a GPU, too."""
    try:
        importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return
    import torch

    check("torch computes", torch.arange(4).sum().item(), 6)
    check("torch is one with CUDA", bool(torch.version.cuda), True)


SPARK = """
import os
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, pandas_udf
spark = SparkSession.builder.getOrCreate()
@pandas_udf("long")
def plus(x: pd.Series) -> pd.Series:
    return x + 1
spark.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
frame = spark.range(1000, numPartitions=2).withColumn("y", plus("id")).groupBy(col("id") % 3).sum("y").toPandas()
spark.range(10).write.parquet(os.path.join(os.environ["HOME"], "smoke.parquet"), compression="zstd")
classes = ["org.apache.spark.sql.kafka010.KafkaSourceProvider", "com.mysql.cj.jdbc.Driver", "org.postgresql.Driver"]
found = [spark._jvm.java.lang.Class.forName(name, False, spark._jvm.Thread.currentThread().getContextClassLoader()) is not None for name in classes]
print(int(frame["sum(y)"].sum()), spark.sparkContext.getConf().get("spark.driver.host") != "localhost", found)
spark.stop()
"""
CELLS = {
    "python3": (SPARK, "500500 True [True, True, True]"),
    "ir": ("cat(sum(1:10), '서울')", "55 서울"),
    "spark-scala": (
        "case class P(a: Int)\nobject P { def of(s: String) = P(s.toInt) }\n\nspark.range(10).map(x => P.of(x.toString).a + 1).reduce(_ + _)",
        ": Int = 55",
    ),
}


# Seconds. An image is built with what other programs leave of the processors: on a busy node a kernel that is in order took more than 120.
PATIENCE = 900


def kernel(name):
    """A kernel starts, answers and tells a failure."""
    from jupyter_client.manager import start_new_kernel

    code, expected = CELLS[name]
    manager, client = start_new_kernel(kernel_name=name, startup_timeout=PATIENCE)
    try:
        for cell, status in ((code, "ok"), ("this is an error", "error")):
            written = []
            reply = client.execute_interactive(
                cell, timeout=PATIENCE, output_hook=lambda message, into=written: into.append(message["content"]), stop_on_error=False
            )["content"]
            text = "".join(content.get("text", "") for content in written)
            check("status of %s on %r (%s)" % (name, cell, json.dumps(written)), reply["status"], status)
            if status == "ok" and expected not in text:
                check("output of " + name, text, expected)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def kernels():
    """Every kernel works, all at once: most of the time goes into the start of their JVMs."""
    from jupyter_client.kernelspec import KernelSpecManager

    check("the kernels", sorted(KernelSpecManager().find_kernel_specs()), sorted(CELLS))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(kernel, CELLS))


if __name__ == "__main__":
    plots()
    with warnings.catch_warnings(action="default"):
        libraries()
        gpu()
        kernels()
    for distribution in sorted(importlib.metadata.distributions(), key=lambda one: one.name.lower()):
        print(distribution.name, distribution.version)
