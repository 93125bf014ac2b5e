# SPDX-License-Identifier: GPL-3.0-or-later
"""What skp.cluster adds to Airflow. For DAGs: `skp_airflow.swarm`."""
