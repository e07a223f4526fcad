// Starts Swagger UI. A file of its own, because the page's Content-Security-Policy allows no inline script.
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  // The token stays in the page's memory and goes nowhere but to this farm.
  persistAuthorization: false,
  // Without this, Swagger UI would send the document to a validator on the internet.
  validatorUrl: null,
});
