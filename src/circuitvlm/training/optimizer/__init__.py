"""How is a gradient turned into a step, where torch's own optimizers do not say?"""
