"""Load balancer and ingress for a cluster: MetalLB and Contour, from their own manifests."""
