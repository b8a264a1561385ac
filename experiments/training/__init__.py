"""The train loop, and what goes on around a step: evaluation, checkpoints that are due, stages, stops on request, time."""
