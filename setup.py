"""Installs the folders research, experiments and configs as parts of the package likeness; pyproject.toml says all else."""

from setuptools import find_packages, setup

ROOMS = ("research", "experiments", "configs")

setup(
    package_dir={"likeness": "likeness", **{f"likeness.{room}": room for room in ROOMS}},
    packages=["likeness", *(f"likeness.{name}" for name in find_packages(include=[f"{room}*" for room in ROOMS]))],
)
