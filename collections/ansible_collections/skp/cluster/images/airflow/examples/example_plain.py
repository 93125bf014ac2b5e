# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain Python: tasks are functions, and what one returns is an argument of the next."""

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__)
def example_plain():
    @task
    def numbers():
        return list(range(10))

    @task
    def square(number):
        return number * number

    @task
    def total(squares):
        found = sum(squares)
        print("the sum of the squares is %d" % found)
        return found

    total(square.expand(number=numbers()))


example_plain()
