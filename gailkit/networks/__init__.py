"""Building blocks made of parameters: encoders, multilayer perceptrons, action distributions, actor and critic."""
