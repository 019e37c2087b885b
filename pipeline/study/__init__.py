"""Studies made of many trainings: cells side by side, memory tasks, tuning."""
